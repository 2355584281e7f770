import { EventwireError, messageOf } from '../errors.ts'

/** A value, or a function that gives it, asked anew at each attempt to connect. */
export type Source<T> = T | (() => T | Promise<T>)

/** Options of `createSubscriber`. Times are in milliseconds. */
export interface SubscriberOptions {
  /** Headers to send, such as `authorization`. Default: none besides `accept` and `last-event-id`. */
  headers?: Source<HeadersInit> | undefined
  /** As in `fetch`. Default: fetch's own, `same-origin`. */
  credentials?: RequestCredentials | undefined
  /** The fetch to use. Default: the global one. */
  fetch?: typeof globalThis.fetch | undefined
  /** Closes the subscriber when it aborts. */
  signal?: AbortSignal | undefined
  /** The cursor to begin at: the id of the last event that was handled elsewhere. Default: none, the stream begins with what is new. */
  lastEventId?: string | undefined
  /** How long to wait between attempts. */
  backoff?: BackoffOptions | undefined
  /** Longest wait for the head of a response. Default: 30,000. */
  connectTimeout?: number | undefined
  /**
   * Longest silence on an open stream before it counts as dead: ms, Infinity for never, or `'auto'`: three heartbeats, as
   * the server announced them, and never when it announced none. Default: `'auto'`.
   */
  idleTimeout?: number | 'auto' | undefined
  limits?: SubscriberLimits | undefined
  /** Called on 401 and 403, to renew what `headers` gives; then there is one more attempt. Default: none, and both are fatal. */
  onUnauthorized?: ((error: EventwireError) => void | Promise<void>) | undefined
}

/** Waits between attempts: doubled from `base` to `max`, spread at random. A server's `retry:` takes the place of `base`. */
export interface BackoffOptions {
  /** Default: 1,000. */
  base?: number | undefined
  /** Default: 30,000. */
  max?: number | undefined
  /** Attempts in a row that may fail before the subscriber gives up with `retries-exhausted`. Default: Infinity. */
  attempts?: number | undefined
}

/** Bounds of what a subscriber holds. */
export interface SubscriberLimits {
  /** Largest event, name and data together, in bytes of UTF-8; a larger one is fatal. Default: 1 MiB. */
  eventBytes?: number | undefined
  /** Longest id, in bytes of UTF-8; a longer one is fatal. Default: 1 KiB. */
  idBytes?: number | undefined
  /** Events received and not yet handled, after which reading from the socket pauses. Checked between reads, so one read may go beyond. Default: 1,000. */
  queue?: number | undefined
}

/** The options that are numbers, with their defaults, checked. */
export interface Settings {
  readonly base: number
  readonly max: number
  readonly attempts: number
  readonly connectTimeout: number
  readonly idleTimeout: number | 'auto'
  readonly eventBytes: number
  readonly idBytes: number
  readonly queue: number
}

/** Checks options and fills in defaults. Throws `invalid-option`, which names the option. */
export function settle({ backoff = {}, limits = {}, connectTimeout, idleTimeout = 'auto', headers }: SubscriberOptions): Settings {
  try {
    if (typeof headers !== 'function') void new Headers(headers)
  } catch (cause) {
    throw new EventwireError('invalid-option', `headers cannot be sent: ${messageOf(cause)}`, { cause })
  }
  return {
    base: positive('backoff.base', backoff.base, 1_000),
    max: positive('backoff.max', backoff.max, 30_000),
    attempts: positive('backoff.attempts', backoff.attempts, Infinity),
    connectTimeout: positive('connectTimeout', connectTimeout, 30_000),
    idleTimeout: idleTimeout === 'auto' ? idleTimeout : positive('idleTimeout', idleTimeout, 0),
    eventBytes: positive('limits.eventBytes', limits.eventBytes, 1 << 20),
    idBytes: positive('limits.idBytes', limits.idBytes, 1 << 10),
    queue: positive('limits.queue', limits.queue, 1_000),
  }
}

function positive(option: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (value > 0) return value
  throw new EventwireError('invalid-option', `${option} is ${String(value)}; give a number above 0, or Infinity.`)
}
