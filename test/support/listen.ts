import { onTestFinished } from 'vitest'
import { createDecoder, type DecodedMessage, type Ready, type Gap } from 'eventwire/wire'

/** What came over a stream, as a client of no library sees it. */
export interface Listening {
  readonly response: Response
  /** All that came, as text. */
  readonly text: string
  readonly messages: readonly DecodedMessage[]
  /** The last event id in force. */
  readonly cursor: string
  /** The messages whose names are not reserved. */
  readonly events: readonly DecodedMessage[]
  readonly ready: Ready
  readonly gaps: readonly Gap[]
  /** Waits until `test` holds; looks after each chunk. Fails when the stream ends first. */
  until(test: (listening: Listening) => boolean): Promise<void>
  /** Waits for the end of the stream. */
  readonly ended: Promise<void>
  leave(): void
}

/** Opens a stream with plain fetch and collects what comes. */
export async function listen(url: string, headers: Record<string, string> = {}): Promise<Listening> {
  const controller = new AbortController()
  const response = await fetch(url, { headers, signal: controller.signal })
  onTestFinished(() => controller.abort())
  return collect(response, () => controller.abort())
}

/** Collects what comes over an open stream. */
export function collect(response: Response, leave: () => void): Listening {
  const messages: DecodedMessage[] = []
  let text = ''
  let cursor = ''
  let over = false
  let wake = Promise.withResolvers<void>()
  const utf8 = new TextDecoder()
  const decoder = createDecoder({
    onMessage(message) {
      messages.push(message)
      cursor = message.id
    },
    onCursor(id) {
      cursor = id
    },
  })
  const tick = (): void => {
    wake.resolve()
    wake = Promise.withResolvers()
  }
  const read = async (): Promise<void> => {
    try {
      for await (const chunk of response.body ?? []) {
        text += utf8.decode(chunk, { stream: true })
        decoder.push(chunk)
        tick()
      }
    } catch {
      // Cut: the stream is over all the same.
    }
    over = true
    tick()
  }
  const json = (name: string): unknown[] => messages.filter(({ event }) => event === name).map(({ data }) => JSON.parse(data))

  const listening: Listening = {
    response,
    messages,
    leave,
    ended: read(),
    get text() {
      return text
    },
    get cursor() {
      return cursor
    },
    get events() {
      return messages.filter(({ event }) => !event.startsWith('$'))
    },
    get ready() {
      return json('$ready')[0] as Ready
    },
    get gaps() {
      return json('$gap') as Gap[]
    },
    async until(test) {
      while (!test(listening)) {
        if (over) throw new Error(`The stream ended before that was so. It had sent:\n${text}`)
        await wake.promise
      }
    },
  }
  return listening
}
