import { setTimeout } from 'node:timers/promises'

/** Time for one token, in ms. */
const PACE = 20

const SENTENCES = [
  'Your question came as the body of a POST, which a plain EventSource cannot send.',
  'Each of these tokens is an event of its own, and its number is the id.',
  'Press Stop, and the generator ends: the terminal says after how many tokens.',
  'Reload the page while I write, and I go on behind the last token that you have.',
  'Ask the same again, and you get the same answer, word for word.',
  'When I am done I say so, in an event that the contract names as an end. So nobody takes a cut for a full stop.',
]

/** Stands for a language model: the tokens of its answer behind the first so many, one by one. Rejects when the signal aborts. */
export async function* think(prompt: string, from: number, signal: AbortSignal): AsyncGenerator<string> {
  for (const token of answerTo(prompt).slice(from)) {
    await setTimeout(PACE, undefined, { signal })
    yield token
  }
}

/** The same tokens for the same prompt, whose length says with which sentence they begin. */
export function answerTo(prompt: string): string[] {
  const first = Array.from(prompt).length % SENTENCES.length
  const sentences = [...SENTENCES.slice(first), ...SENTENCES.slice(0, first)]
  const answer = `You asked: “${prompt}” I am no model, only a few sentences, but I can tell you how they get to you. ${sentences.join(' ')}`
  return answer.match(/\s*\S{1,5}/g) ?? []
}
