import { createParser } from 'eventsource-parser'
import { EventwireError } from '../errors.ts'
import { exceedsBytes } from './size.ts'

/** An event as it left the wire (WHATWG HTML 9.2.6). */
export interface DecodedMessage {
  /** The event's type, `message` where the stream named none. */
  readonly event: string
  readonly data: string
  /** The last event id in force after this event: its own, or the latest before it; `''` when there was none. */
  readonly id: string
}

/** What {@link createDecoder} calls, and its limits. Callbacks come in stream order. One that throws stops no other: `push` throws it again when the chunk is done. */
export interface DecoderOptions {
  /** Each event that the standard would dispatch. */
  onMessage: (message: DecodedMessage) => void
  /** A block without data set the last event id: the cursor moves, nothing is dispatched. */
  onCursor?: ((id: string) => void) | undefined
  /** The server asks for this reconnection time, in ms; at most 2^31 - 1, the longest a timer can wait. */
  onRetry?: ((retry: number) => void) | undefined
  /** A comment. While somebody listens, comments are held whole, and `maxEventBytes` is their limit too. */
  onComment?: ((comment: string) => void) | undefined
  /** A limit was passed; called once. Without it, `push` throws the error. */
  onError?: ((error: EventwireError) => void) | undefined
  /** The last event id in force when the stream begins: it lives on over reconnects. Default: `''`. */
  lastEventId?: string | undefined
  /** Longest event, type and data together, in bytes of UTF-8. Default: 1 MiB. */
  maxEventBytes?: number | undefined
  /** Longest id, in bytes of UTF-8. Default: 1 KiB. */
  maxIdBytes?: number | undefined
}

/** Reads one event stream. A new connection needs a new decoder. */
export interface Decoder {
  /**
   * Takes the next bytes, cut anywhere. After a limit was passed it ignores what follows: the rest of the stream has no
   * meaning without the part that was too large.
   */
  push(chunk: Uint8Array): void
}

/** What a chunk brought: a message, a cursor, or what is rare enough to be told by calling it. */
type Found = DecodedMessage | string | (() => void)

const BOM = '\uFEFF'

/** The longest delay that timers of JavaScript keep; a longer one fires at once. */
export const MAX_DELAY = 2 ** 31 - 1

/**
 * Makes a decoder of event streams: bytes in, messages out, as WHATWG HTML 9.2.6 has it.
 *
 * @param options Callbacks and limits.
 * @throws EventwireError `invalid-option` for a limit that is no number above 0.
 */
export function createDecoder(options: DecoderOptions): Decoder {
  const { onMessage, onCursor, onRetry, onComment, onError, maxEventBytes = 1 << 20, maxIdBytes = 1 << 10 } = options
  if (!(maxEventBytes > 0 && maxIdBytes > 0)) {
    throw new EventwireError('invalid-option', `maxEventBytes is ${maxEventBytes} and maxIdBytes ${maxIdBytes}; give numbers above 0.`)
  }
  // The BOM is left to us: a decoder that strips it takes two when the first is cut within (seen in Node 24).
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
  let begun = false
  let id = options.lastEventId ?? ''
  let spent = false
  // The parser is left in a stale state by a callback that throws, so it only collects; what it found is told after.
  let found: Found[] = []
  let name = 'message'

  const fail = (what: string, limit: number): void => {
    if (spent) return
    spent = true
    const error = new EventwireError('too-large', `The stream sent ${what} of more than ${limit} bytes. Raise the limit if that is right.`)
    found.push(() => {
      if (!onError) throw error
      onError(error)
    })
  }

  const collect = (it: Found): void => {
    if (!spent) found.push(it)
  }

  const parser = createParser({
    // The parser's buffer holds the data and one more line, field name included. The exact limits are held below, so that
    // it makes no difference where the network cuts an event.
    maxBufferSize: maxEventBytes + maxIdBytes + 'event: '.length,
    onId(next) {
      if (exceedsBytes(maxIdBytes, next)) return fail('an id', maxIdBytes)
      id = next
      collect(next)
    },
    onEvent({ event = 'message', data, id: own }) {
      // The parser announces an id before the event that carries it. The event says it already, and if the event is
      // refused the cursor must not move past it.
      if (own !== undefined && !spent) found.pop()
      if (exceedsBytes(maxEventBytes, data, event)) return fail('an event', maxEventBytes)
      // Each name is a new string, which has to be hashed for every look-up; most often it is the one before.
      if (event !== name) name = event
      collect({ event: name, data, id })
    },
    onRetry: (retry) => collect(() => onRetry?.(Math.min(retry, MAX_DELAY))),
    // Given only where it is wanted: with it the parser has to keep comments whole.
    onComment:
      onComment &&
      ((comment) => {
        if (exceedsBytes(maxEventBytes, comment)) return fail('a comment', maxEventBytes)
        collect(() => onComment(comment))
      }),
    onError({ type }) {
      if (type === 'max-buffer-size-exceeded') fail('an event or a line', maxEventBytes)
    },
  })
  // Ends the parser's own search for a BOM, which would take the text U+00EF U+00BB U+00BF for one.
  parser.feed('\n')

  const tell = (): void => {
    const told = found
    found = []
    let thrown: { readonly error: unknown } | undefined
    for (const it of told) {
      try {
        if (typeof it === 'object') onMessage(it)
        else if (typeof it === 'string') onCursor?.(it)
        else it()
      } catch (error) {
        thrown ??= { error }
      }
    }
    if (thrown) throw thrown.error
  }

  return {
    push(chunk) {
      if (spent) return
      let text = decoder.decode(chunk, { stream: true })
      if (text === '') return
      if (!begun && text.startsWith(BOM)) text = text.slice(1)
      begun = true
      parser.feed(text)
      tell()
    },
  }
}
