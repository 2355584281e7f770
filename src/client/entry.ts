import { isThenable } from '../awaitable.ts'
import type { Gap } from '../wire/control.ts'
import type { DecodedMessage } from '../wire/decode.ts'

/** An event as handlers get it. */
export interface Delivery {
  readonly event: string
  readonly data: unknown
  readonly id: string
}

/** A place in a queue: that of an event or a gap; or, at its end, of what comes next. */
export interface Entry {
  readonly number: number
  /** The last event id in force in front of it. */
  cursor: string | undefined
  next: Entry | undefined
  message: DecodedMessage | undefined
  /** Taken out once it has been told. */
  gap: Gap | undefined
  /** Whether a handler has begun with it. */
  taken: boolean
  /** What its message says; undefined until it has been read, null when it is invalid. */
  event: Promise<Delivery | null> | Delivery | null | undefined
  /** Whether it stands for what was dropped: that may become more, so it waits for a handler. */
  dropped?: boolean
}

/** The place of what comes next. */
export function emptyEntry(number: number, cursor?: string): Entry {
  return { number, cursor, next: undefined, message: undefined, gap: undefined, taken: false, event: undefined }
}

/** What reads entries. */
export interface EntryReader {
  /** Reads and validates the data of an event; may be asynchronous, may throw. */
  readonly decode: (message: DecodedMessage) => unknown
  readonly onInvalid: (error: unknown, message: DecodedMessage) => void
}

/** Reads the event of an entry, once for all handlers; null when it is invalid. */
export function readEntry(entry: Entry, message: DecodedMessage, reader: EntryReader): Promise<Delivery | null> | Delivery | null {
  if (entry.event !== undefined) return entry.event
  try {
    const data = reader.decode(message)
    return (entry.event = isThenable(data) ? readLater(entry, message, reader, data) : delivery(message, data))
  } catch (error) {
    return refuse(entry, message, reader, error)
  }
}

async function readLater(entry: Entry, message: DecodedMessage, reader: EntryReader, data: PromiseLike<unknown>): Promise<Delivery | null> {
  try {
    return (entry.event = delivery(message, await data))
  } catch (error) {
    return refuse(entry, message, reader, error)
  }
}

function delivery({ event, id }: DecodedMessage, data: unknown): Delivery {
  return { event, data, id }
}

function refuse(entry: Entry, message: DecodedMessage, { onInvalid }: EntryReader, error: unknown): null {
  entry.taken = true
  entry.event = null
  onInvalid(error, message)
  return null
}
