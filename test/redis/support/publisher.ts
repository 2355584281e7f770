import { setTimeout as sleep } from 'node:timers/promises'
import type { Publication } from './ledger.ts'

/** Longest wait for an answer, in ms. */
const PATIENCE = 15_000

/** What is said of an event that is in order and could not be kept: by the balancer that reaches no node, and by a node that reaches no Redis. */
const UNKEPT = new Set([502, 503])

/** Asks for a text to be published, once. Where that is not confirmed, it may be in the log all the same. */
export async function post(url: string, text: string, topic: string | undefined): Promise<Publication> {
  const answer = await ask(url, JSON.stringify({ event: 'step', data: text, topic }))
  if (answer?.status === 202) return { topic, text, id: (JSON.parse(answer.body) as { id: string }).id }
  if (answer && !UNKEPT.has(answer.status)) throw new Error(`${text} was answered with ${answer.status}: ${answer.body}`)
  return { topic, text, id: undefined }
}

async function ask(url: string, body: string): Promise<{ readonly status: number; readonly body: string } | undefined> {
  try {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(PATIENCE) })
    return { status: response.status, body: await response.text() }
  } catch {
    // Cut off: whoever was asked may have done it.
    return undefined
  }
}

/** Publishes to a topic what is numbered from 1, each number once, with pauses at random of up to `longest` ms, until it is stopped. */
export async function publishAll(
  url: string,
  { name, topic }: { readonly name: string; readonly topic: string | undefined },
  longest: number,
  random: () => number,
  stop: AbortSignal,
): Promise<Publication[]> {
  const chain: Publication[] = []
  while (!stop.aborted) {
    chain.push(await post(url, `${name} ${chain.length + 1}`, topic))
    await pause(random() * longest, stop)
  }
  return chain
}

/** Waits for some ms, or until it is stopped. */
export async function pause(ms: number, stop: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal: stop }).catch(() => {})
}
