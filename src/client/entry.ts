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
  next?: Entry
  message?: DecodedMessage | undefined
  /** Taken out once it has been told. */
  gap?: Gap | undefined
  /** Whether it stands for what was dropped: that may become more, so it waits for a handler. */
  dropped?: boolean
  /** Whether a handler has begun with it. */
  taken?: boolean
  /** What its message says, once it has been read; undefined when that is invalid. */
  event?: Promise<Delivery | undefined> | Delivery | undefined
}

/** What reads entries. */
export interface EntryReader {
  /** Reads and validates the data of an event; may be asynchronous, may throw. */
  readonly decode: (message: DecodedMessage) => unknown
  readonly onInvalid: (error: unknown, message: DecodedMessage) => void
}

/** Reads the event of an entry, once for all handlers. */
export function readEntry(entry: Entry, message: DecodedMessage, { decode, onInvalid }: EntryReader): Entry['event'] {
  if ('event' in entry) return entry.event
  const { event, id } = message
  const accept = (data: unknown): Delivery => (entry.event = { event, data, id })
  const refuse = (error: unknown): undefined => {
    entry.taken = true
    entry.event = undefined
    onInvalid(error, message)
  }
  try {
    const data = decode(message)
    return data instanceof Promise ? (entry.event = data.then(accept, refuse)) : accept(data)
  } catch (error) {
    return refuse(error)
  }
}
