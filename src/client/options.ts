import { EventwireError, messageOf } from '../errors.ts'
import type { CursorStore } from './cursor.ts'
import type { Share } from './reconnect.ts'
import type { Trace } from './trace.ts'

/** The attempt that a {@link Source} is asked for. */
export interface AttemptContext {
  /** Its number in a row of failures, from 1. */
  readonly attempt: number
  /** The cursor that it resumes from; `''` when there is none. */
  readonly lastEventId: string
}

/** A value, or a function that gives it, asked anew at each attempt to connect. */
export type Source<T> = T | ((context: AttemptContext) => T | Promise<T>)

/** Options of `createSubscriber`. Times are in milliseconds. */
export interface SubscriberOptions {
  /** Default: `POST` when there is a body, `GET` otherwise. */
  method?: 'GET' | 'POST' | undefined
  /** Headers to send, such as `authorization`. Default: none besides `accept: text/event-stream` and `last-event-id`. */
  headers?: Source<HeadersInit | undefined> | undefined
  /** The body of a POST. Default: none. */
  body?: Source<Exclude<BodyInit, ReadableStream>> | undefined
  /** As in `fetch`. Default: fetch's own, `same-origin`. */
  credentials?: RequestCredentials | undefined
  /** The fetch to use; the body of its responses has to be a stream. Default: the global one. */
  fetch?: ((url: string, init: RequestInit) => Promise<Response>) | undefined
  /** Closes the subscriber when it aborts. */
  signal?: AbortSignal | undefined
  /** The cursor to begin at: the id of the last event that was handled elsewhere. Default: none, the stream begins with what is new. */
  lastEventId?: string | undefined
  /** Keeps the cursor, so that a later subscriber goes on where this one left off: `sessionCursor`, `localCursor`, or one of your own. What it holds comes before `lastEventId`. Default: none. */
  cursor?: CursorStore | undefined
  /** When the cursor moves over an event: once its handlers have finished with it, or as soon as it has come. Default: `'handled'`. */
  commit?: 'handled' | 'received' | undefined
  /** How the cursor is sent: in the header `Last-Event-ID`, or as `?lastEventId=`, which needs no preflight on another origin. Default: `'header'`. */
  resumeIn?: 'header' | 'query' | undefined
  /** Whether a POST may be sent again though there is no cursor. Default: false; a POST without a cursor that fails is fatal. */
  idempotent?: boolean | undefined
  /** How long to wait between attempts. */
  backoff?: BackoffOptions | undefined
  /** Longest wait until a stream is open: for what the application is asked, for the head of the response, and for the body of a refusal. Default: 30,000. */
  connectTimeout?: number | undefined
  /**
   * Longest silence on an open stream before it counts as dead: ms, Infinity for never, or `'auto'`: three heartbeats, as
   * the server announced them; where it announced none, three times the longest silence that there was, and 30 s at least,
   * once a stream with ids has brought something four times; never for a POST, whose answer may be long in coming. Default: `'auto'`.
   */
  idleTimeout?: number | 'auto' | undefined
  /** Bounds of what it holds. */
  limits?: SubscriberLimits | undefined
  /**
   * What happens when `limits.queue` events wait to be handled: reading from the socket pauses, the oldest that wait are
   * dropped behind a gap with reason `overflow`, or the subscriber closes with the error `overflow`. Default: `'pause'`.
   */
  overflow?: 'pause' | 'drop-oldest' | 'error' | undefined
  /** Called on 401 and 403, to renew what `headers` gives; then there is one more attempt. Default: none, and both are fatal. */
  onUnauthorized?: ((error: EventwireError) => void | Promise<void>) | undefined
  /** Decides whether another attempt follows a failure; `undefined` leaves it as it would be. `backoff.attempts` bounds it all the same. */
  shouldRetry?: ((error: EventwireError, context: RetryContext) => boolean | undefined | Promise<boolean | undefined>) | undefined
  /** Shares one connection among the tabs of an origin: `tabs()`. Default: none. */
  share?: Share | undefined
  /** Hears every request, response, status and message, with its time; headers too, and the secrets in them. For debugging. Default: none. */
  onTrace?: ((trace: Trace) => void) | undefined
}

/** What {@link SubscriberOptions.shouldRetry} may look at. */
export interface RetryContext extends AttemptContext {
  /** What happens if nothing else is said. */
  readonly retry: boolean
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
  /** Events received and not yet handled before `overflow` applies. With `'pause'` that is checked between reads, so one read may go beyond. Default: 1,000. */
  queue?: number | undefined
}

/** The options that are numbers, with their defaults, checked. */
export interface Settings {
  readonly base: number
  readonly max: number
  readonly attempts: number
  readonly connectTimeout: number
  /** `undefined` for `'auto'`. */
  readonly idleTimeout: number | undefined
  readonly eventBytes: number
  readonly idBytes: number
  readonly queue: number
}

const BACKOFF: readonly (keyof BackoffOptions)[] = ['base', 'max', 'attempts']
const LIMITS: readonly (keyof SubscriberLimits)[] = ['eventBytes', 'idBytes', 'queue']
const OPTIONS: readonly (keyof SubscriberOptions)[] = [
  'method',
  'headers',
  'body',
  'credentials',
  'fetch',
  'signal',
  'backoff',
  'connectTimeout',
  'idleTimeout',
  'limits',
  'overflow',
  'commit',
  'cursor',
  'lastEventId',
  'resumeIn',
  'idempotent',
  'onUnauthorized',
  'shouldRetry',
  'share',
  'onTrace',
]

/** Checks options and fills in defaults. Throws `invalid-option`, which names the option. */
export function settle(options: SubscriberOptions): Settings {
  refuseUnknown('createSubscriber', options, OPTIONS)
  const { backoff = {}, limits = {}, connectTimeout, idleTimeout = 'auto', headers, share } = options
  refuseUnknown('backoff', backoff, BACKOFF)
  refuseUnknown('limits', limits, LIMITS)
  try {
    if (typeof headers !== 'function') void new Headers(headers)
  } catch (cause) {
    throw new EventwireError('invalid-option', `headers cannot be sent: ${messageOf(cause)}`, { cause })
  }
  oneOf('overflow', options.overflow, 'pause', 'drop-oldest', 'error')
  oneOf('commit', options.commit, 'handled', 'received')
  oneOf('resumeIn', options.resumeIn, 'header', 'query')
  if (share !== undefined && typeof share !== 'function') throw new EventwireError('invalid-option', 'share is no function; give tabs().')
  return {
    base: positive('backoff.base', backoff.base, 1_000),
    max: positive('backoff.max', backoff.max, 30_000),
    attempts: positive('backoff.attempts', backoff.attempts, Infinity),
    connectTimeout: positive('connectTimeout', connectTimeout, 30_000),
    idleTimeout: idleTimeout === 'auto' ? undefined : positive('idleTimeout', idleTimeout, 0),
    eventBytes: positive('limits.eventBytes', limits.eventBytes, 1 << 20),
    idBytes: positive('limits.idBytes', limits.idBytes, 1 << 10),
    queue: positive('limits.queue', limits.queue, 1_000),
  }
}

/** One that is misspelt would be one that is not set, in silence. */
function refuseUnknown(where: string, given: object, names: readonly string[]): void {
  const unknown = Object.keys(given).find((name) => !names.includes(name))
  if (unknown) throw new EventwireError('invalid-option', `${where} has no ${unknown}; it takes ${names.join(', ')}.`)
}

function oneOf(option: string, value: string | undefined, ...known: readonly string[]): void {
  if (value === undefined || known.includes(value)) return
  throw new EventwireError('invalid-option', `${option} is ${value}; give one of: ${known.join(', ')}.`)
}

function positive(option: string, value: number | undefined, fallback: number): number {
  if (value === undefined) return fallback
  if (value > 0) return value
  throw new EventwireError('invalid-option', `${option} is ${String(value)}; give a number above 0, or Infinity.`)
}
