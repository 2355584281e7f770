import { createSubscriber, sessionCursor } from 'eventwire/client'
import { find, showStatus } from '../shared/dom.ts'
import { events } from './events.ts'

/** A question and its answer. Kept in the tab's storage, so that both outlive a reload. */
interface Turn {
  readonly prompt: string
  readonly tokens: string[]
  /** How the answer ended; `undefined` while it has not. */
  outcome?: string
}

const turns = JSON.parse(sessionStorage.getItem('llm') ?? '[]') as Turn[]
let stop = (): void => {}

for (const [number, turn] of turns.entries()) draw(number, turn)
// The page was left in mid-answer.
if (turns.length > 0 && turns.at(-1)?.outcome === undefined) void hear(turns.length - 1)

find('form').addEventListener('submit', (submit) => {
  submit.preventDefault()
  // One answer at a time.
  if (document.body.dataset['state'] === 'busy') return
  const number = turns.push({ prompt: find('input').value, tokens: [] }) - 1
  find('form').reset()
  draw(number, turns[number]!)
  void hear(number)
})
find('#stop').addEventListener('click', () => stop())

/** Hears the answer of a turn, or what is left of it. */
async function hear(number: number): Promise<void> {
  const turn = turns[number]!
  const stream = createSubscriber(events, '/answer', {
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ prompt: turn.prompt }),
    // The last token heard. Once there is one, the question may be sent again: the answer goes on behind it.
    cursor: sessionCursor(`llm-${number}`),
    // And before: it would be the same answer, and nobody pays for it.
    idempotent: true,
  })
  stop = () => stream.close()
  document.body.dataset['state'] = 'busy'
  showStatus(stream)
  stream.on('token', (token, { id }) => {
    turn.tokens[Number(id) - 1] = token
    keep(number, turn)
  })
  const { reason, error } = await stream.closed
  turn.outcome = reason === 'ended' ? `${turn.tokens.length} tokens` : (error?.message ?? `stopped after ${turn.tokens.length} tokens`)
  delete document.body.dataset['state']
  keep(number, turn)
}

function keep(number: number, turn: Turn): void {
  sessionStorage.setItem('llm', JSON.stringify(turns))
  draw(number, turn)
}

function draw(number: number, { prompt, tokens, outcome }: Turn): void {
  const list = find('#talk')
  const entry = list.children[number] ?? list.appendChild(find('template').content.firstElementChild!.cloneNode(true) as Element)
  const texts = [prompt, tokens.join(''), outcome ?? '']
  for (const [i, element] of Array.from(entry.children).entries()) element.textContent = texts[i] ?? ''
  scrollTo(0, document.body.scrollHeight)
}
