import type { Contract } from '../contract.ts'
import { EventwireError } from '../errors.ts'
import { MAX_DELAY } from '../wire/decode.ts'
import type { Connection } from './emitter.ts'
import { wholeNumber } from './duration.ts'
import { memoryLog, type HistoryOptions, type Log } from './log.ts'
import { normalizeTopics, type Topics } from './topics.ts'

/** Options of `createEmitter`. Times are in milliseconds. */
export interface EmitterOptions<C extends Contract = Contract> {
  /** Bounds of the log. Default: 10,000 events, 64 MiB, any age. Not together with `log`. */
  history?: HistoryOptions | undefined
  /** The log to use. Default: a `memoryLog` with the bounds of `history`. */
  log?: Log | undefined
  /** Time between signs of life on each connection; clients take three missing ones for a dead stream. From 10. Default: 15,000. */
  heartbeat?: number | undefined
  /** The reconnection time to ask of clients: the least they wait before they come back. Default: their own, commonly 1,000 to 3,000. */
  retry?: number | undefined
  /** What a connection listens to when its request does not say. Default: `[]`, only events without a topic. */
  topics?: Topics | undefined
  /** Bytes that the transport of one connection may hold before it is left to read from the log at its own pace; on node no less than the response's own mark. One write may go beyond. Default: 64 KiB. */
  highWaterMark?: number | undefined
  /** A connection whose full transport has not emptied for so long is ended, at the next heartbeat. Default: 30,000. */
  stallTimeout?: number | undefined
  limits?: EmitterLimits | undefined
  /** Hears what nobody else is told: failed emits that are not awaited, hooks that throw, bad options of a request. Default: `console.error`. */
  onError?: ((error: EventwireError) => void) | undefined
  /** A connection has opened. What it is sent here comes after `$ready` and before any event of the log. */
  onConnect?: ((connection: Connection<C>) => void | Promise<void>) | undefined
  /** A connection is gone, whoever ended it. */
  onDisconnect?: ((connection: Connection<C>) => void | Promise<void>) | undefined
}

/** Limits of {@link EmitterOptions}. */
export interface EmitterLimits {
  /** Largest event, name and data together, in bytes of UTF-8. eventwire's client refuses more than 1 MiB unless told otherwise. Default: 1 MiB. */
  eventBytes?: number | undefined
}

/** The options with their defaults, checked. */
export interface Settings {
  readonly log: Log
  readonly heartbeat: number
  readonly retry: number | undefined
  readonly topics: Topics
  readonly highWaterMark: number
  readonly stallTimeout: number
  readonly eventBytes: number
}

/** Checks options and fills in defaults. Throws `invalid-option`, which names the option. */
export function settle(options: EmitterOptions): Settings {
  if (options.log && options.history) {
    throw new EventwireError('invalid-option', 'Give either log or history: a log of your own has its own bounds.')
  }
  if (options.log && !/^[0-9a-z]{1,128}$/.test(options.log.epoch)) {
    throw new EventwireError('invalid-option', `log.epoch is ${JSON.stringify(options.log.epoch)}; it takes 1 to 128 characters of 0-9a-z.`)
  }
  return {
    log: options.log ?? memoryLog(options.history),
    heartbeat: wholeNumber('heartbeat', options.heartbeat ?? 15_000, 10, MAX_DELAY),
    retry: options.retry === undefined ? undefined : wholeNumber('retry', options.retry, 0, MAX_DELAY),
    topics: normalizeTopics(options.topics ?? []),
    highWaterMark: wholeNumber('highWaterMark', options.highWaterMark ?? 64 << 10, 1),
    stallTimeout: wholeNumber('stallTimeout', options.stallTimeout ?? 30_000, 1),
    eventBytes: wholeNumber('limits.eventBytes', options.limits?.eventBytes ?? 1 << 20, 1),
  }
}
