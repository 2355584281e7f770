import type { Contract, EventInput, EventName } from '../contract.ts'
import { EventwireError } from '../errors.ts'
import type { Gap } from '../wire/control.ts'
import { MAX_DELAY } from '../wire/decode.ts'
import type { ConnectDetails, ConnectHook } from './grant.ts'
import type { CorsOptions } from './cors.ts'
import { wholeNumber } from './duration.ts'
import type { OutgoingEvent } from './event.ts'
import { requireZlib, type Zlib } from './gzip.ts'
import { checkMembers, type Members } from './members.ts'
import type { Log } from './log.ts'
import { shardedLog, type ShardedLog } from './sharding.ts'
import { memoryLog, type HistoryOptions } from './memory-log.ts'
import type { Connection } from './connection-handle.ts'
import type { Source } from './pump.ts'
import { normalizeTopics, type Topics } from './topics.ts'

/** An event as `emit` was given it. */
export type EmittedEvent<C extends Contract = Contract> = {
  [N in EventName<C>]: { readonly event: N; readonly data: EventInput<C, N>; readonly topic: string | undefined }
}[EventName<C>]

/**
 * What becomes of a client that reads too slowly:
 * - `gap`: it reads on when it can; what the log has dropped meanwhile is declared with a `gap`, reason `overflow`
 * - `disconnect`: it is disconnected when the log has dropped what it had yet to read, and comes back with its cursor
 * - `{ latest: key }`: it is sent only the newest of the events with the same name, topic and key, behind a `gap` with reason `superseded`.
 *   `key` is called once for each `emit`; events for which it gives `undefined` are never left out.
 */
export type SlowConsumer<C extends Contract = Contract> = 'gap' | 'disconnect' | { latest: (event: EmittedEvent<C>) => string | undefined }

/** What streams of every kind have in common. Times are in milliseconds. */
export interface StreamOptions<Context = unknown> {
  /** Admits a request and says what it gets, or refuses it. Default: everyone is let in. */
  connect?: ConnectHook<Context> | undefined
  /** Lets pages of other origins read the stream. Default: none. */
  cors?: CorsOptions | undefined
  /** Time between signs of life on each connection; clients take three missing ones for a dead stream. From 10. Default: 15,000. */
  heartbeat?: number | undefined
  /** The reconnection time to ask of clients: the least they wait before they come back. Default: their own, commonly 1,000 to 3,000. */
  retry?: number | undefined
  /** Bytes that the transport of one connection may hold before it counts as full; on node no less than the response's own mark. One write of 64 KiB may go beyond. Default: 64 KiB. */
  highWaterMark?: number | undefined
  /** A connection whose full transport has taken nothing for so long is ended, at the next heartbeat. Default: 30,000. */
  stallTimeout?: number | undefined
  limits?: StreamLimits | undefined
  /** Hears what nobody else is told: failed emits that are not awaited, hooks that throw, bad options of a request. Default: `console.error`. */
  onError?: ((error: EventwireError) => void) | undefined
}

/** Limits of {@link StreamOptions}. */
export interface StreamLimits {
  /** Most open connections, those that wait for `connect` included; more are answered with 503. A web response counts from when it is read; one too many then ends at once. Default: Infinity. */
  connections?: number | undefined
  /** Most open connections of one client, which `key` tells apart by what it likes; more are answered with 429. Those without a key are not counted. Default: Infinity. */
  perKey?: { connections: number; key: (request: Request, details: ConnectDetails) => string | undefined } | undefined
  /** Most topics of one connection; more are answered with 400. Default: 1,000. */
  topics?: number | undefined
  /** Largest event, name and data together, in bytes of UTF-8. eventwire's client refuses more than 1 MiB unless told otherwise. Default: 1 MiB. */
  eventBytes?: number | undefined
  /**
   * Longest cursor that is looked at; a longer one is malformed. Where the log has shards, a connection whose cursor may become longer is answered with 400;
   * 256 are enough for seven shards of `redisLog`. Clients refuse more than 1 KiB unless told otherwise. From 160. Default: 256.
   */
  cursorBytes?: number | undefined
  /** Largest head of a request, address included; more is answered with 431. A server may have a lower limit of its own: node's is 16 KiB. Default: 16 KiB. */
  headerBytes?: number | undefined
}

/** Options of `createEmitter`. */
export interface EmitterOptions<C extends Contract = Contract, Context = undefined> extends StreamOptions<Context> {
  /** Bounds of the log. Default: 10,000 events, 64 MiB, any age. Not together with `log`. */
  history?: HistoryOptions | undefined
  /** The log to use: `redisLog` of `eventwire/redis` for many nodes, or one of your own; or several as one. Default: a `memoryLog` with the bounds of `history`. */
  log?: Log | ShardedLog | undefined
  /** What a connection listens to when neither its request nor `connect` says. Default: `[]`, only events without a topic. */
  topics?: Topics | undefined
  /**
   * Where a client begins that brings no cursor: at the head, for what is emitted from now on; or with the oldest event of its topics that the
   * log holds, for history on joining. A log that no longer has all of them says nothing of what it has dropped. Not together with `snapshot`. Default: `'head'`.
   */
  start?: 'head' | 'oldest' | undefined
  /**
   * The state of things for a client that is new or has missed events, as events without an id. They come before any event
   * of the log, which then goes on from where it stood when the hook was called: what happens meanwhile may be told twice,
   * and nothing is left out. When it fails the stream ends, and the client tries again. Default: none.
   */
  snapshot?: ((connection: Connection<C, NoInfer<Context>>) => Source<OutgoingEvent<C>> | Promise<Source<OutgoingEvent<C>>>) | undefined
  /** What becomes of a client that reads too slowly. Default: `'gap'`. */
  slowConsumer?: SlowConsumer<C> | undefined
  /**
   * `'shared'`: clients that accept gzip are sent what is emitted compressed, and that is done once for all connections with the same topics.
   * Not for streams that carry secrets beside what strangers can choose: the size would tell of them (BREACH). Needs `node:zlib`. Default: none.
   */
  compression?: 'shared' | undefined
  /**
   * Lets an idle connection of node:http cost much less memory: once its head is sent, http is made to let go of request, response and
   * parser, and the stream goes on with the socket alone. Then the connection serves no other request; `write`, `end` and `destroy` of the
   * response mean nothing to the stream; and `server.closeAllConnections()` does not reach it, so await the emitter's `close` when shutting down.
   * This reaches into node's own http: a connection where anything is not as expected, or somebody waits for the end of the request or
   * the response (a logger, for one), goes on as without it, and so does one over TLS. Default: false.
   */
  detach?: boolean | undefined
  /** A connection has opened. What it is sent here comes after `$ready` and before any event of the log. */
  onConnect?: ((connection: Connection<C, NoInfer<Context>>) => void | Promise<void>) | undefined
  /** A connection is gone, whoever ended it. */
  onDisconnect?: ((connection: Connection<C, NoInfer<Context>>) => void | Promise<void>) | undefined
  /** An event was published. Called for each, within `emit`: be quick. */
  onEmit?: ((emitted: { event: EventName<C>; id: string; topic: string | undefined }) => void) | undefined
  /** A client has been told that it lost events. */
  onGap?: ((connection: Connection<C, NoInfer<Context>>, gap: Gap) => void) | undefined
  /** At a heartbeat, a client was found not to keep up. Again only after it has caught up. */
  onSlow?: ((connection: Connection<C, NoInfer<Context>>) => void) | undefined
}

/** The options of every stream with their defaults, checked. */
export interface StreamSettings {
  readonly heartbeat: number
  readonly retry: number | undefined
  readonly highWaterMark: number
  readonly stallTimeout: number
  readonly connections: number
  readonly perKey: number
  readonly maxTopics: number
  readonly eventBytes: number
  readonly cursorBytes: number
  readonly headerBytes: number
}

/** What only emitters have. */
export interface EmitterSettings<C extends Contract> {
  readonly log: ShardedLog
  readonly topics: Topics
  readonly start: 'head' | 'oldest'
  readonly policy: 'gap' | 'disconnect' | 'latest'
  readonly latest: ((event: EmittedEvent<C>) => string | undefined) | undefined
  readonly zlib: Zlib | undefined
  readonly detach: boolean
}

/** What every kind of stream takes. */
export const STREAM_MEMBERS: Members<StreamOptions> = {
  connect: 'function',
  cors: 'value',
  heartbeat: 'value',
  retry: 'value',
  highWaterMark: 'value',
  stallTimeout: 'value',
  limits: 'value',
  onError: 'function',
}

const LIMITS: Members<StreamLimits> = {
  connections: 'value',
  perKey: 'value',
  topics: 'value',
  eventBytes: 'value',
  cursorBytes: 'value',
  headerBytes: 'value',
}

const EMITTER_MEMBERS: Members<EmitterOptions> = {
  ...STREAM_MEMBERS,
  history: 'value',
  log: 'value',
  topics: 'value',
  start: 'value',
  snapshot: 'function',
  slowConsumer: 'value',
  compression: 'value',
  detach: 'value',
  onConnect: 'function',
  onDisconnect: 'function',
  onEmit: 'function',
  onGap: 'function',
  onSlow: 'function',
}

/** Checks options and fills in defaults. Throws `invalid-option`, which names the option. */
export function settleStream(options: Omit<StreamOptions, 'connect'>): StreamSettings {
  const { heartbeat, retry, highWaterMark, stallTimeout, limits = {} } = options
  checkMembers('limits', limits, LIMITS)
  return {
    heartbeat: wholeNumber('heartbeat', heartbeat ?? 15_000, 10, MAX_DELAY),
    retry: retry === undefined ? undefined : wholeNumber('retry', retry, 0, MAX_DELAY),
    highWaterMark: wholeNumber('highWaterMark', highWaterMark ?? 64 << 10, 1),
    stallTimeout: wholeNumber('stallTimeout', stallTimeout ?? 30_000, 1),
    connections: wholeNumber('limits.connections', limits.connections ?? Infinity, 0),
    perKey: perKeyOf(limits.perKey),
    maxTopics: wholeNumber('limits.topics', limits.topics ?? 1_000, 0),
    eventBytes: wholeNumber('limits.eventBytes', limits.eventBytes ?? 1 << 20, 1),
    cursorBytes: wholeNumber('limits.cursorBytes', limits.cursorBytes ?? 256, 160),
    headerBytes: wholeNumber('limits.headerBytes', limits.headerBytes ?? 16 << 10, 1),
  }
}

function perKeyOf(perKey: StreamLimits['perKey']): number {
  if (perKey === undefined) return Infinity
  if (typeof perKey.key !== 'function')
    throw new EventwireError('invalid-option', 'limits.perKey takes { connections, key }, where key is a function.')
  return wholeNumber('limits.perKey.connections', perKey.connections, 0)
}

/** What only emitters have. Throws as {@link settleStream} does. */
export function settleEmitter<C extends Contract>(
  options: Pick<EmitterOptions<C>, 'log' | 'history' | 'topics' | 'start' | 'slowConsumer' | 'compression' | 'detach'> & {
    snapshot?: unknown
  },
): EmitterSettings<C> {
  checkMembers<EmitterOptions>('createEmitter', options as EmitterOptions, EMITTER_MEMBERS)
  if (options.log && options.history) {
    throw new EventwireError('invalid-option', 'Give either log or history: a log of your own has its own bounds.')
  }
  const { start = 'head', slowConsumer = 'gap', compression, detach = false } = options
  if (start !== 'head' && start !== 'oldest') {
    throw new EventwireError('invalid-option', `start is ${JSON.stringify(start)}; it takes 'head' or 'oldest'.`)
  }
  if (start === 'oldest' && options.snapshot) {
    throw new EventwireError(
      'invalid-option',
      `Give either snapshot or start: 'oldest': a new client is sent the state of things, or what led to it.`,
    )
  }
  if (slowConsumer !== 'gap' && slowConsumer !== 'disconnect' && typeof slowConsumer?.latest !== 'function') {
    throw new EventwireError('invalid-option', `slowConsumer takes 'gap', 'disconnect' or { latest: (event) => key }.`)
  }
  if (compression !== undefined && compression !== 'shared') {
    throw new EventwireError('invalid-option', `compression is ${JSON.stringify(compression)}; it takes 'shared', or nothing for none.`)
  }
  if (typeof detach !== 'boolean')
    throw new EventwireError('invalid-option', `detach is ${JSON.stringify(detach)}; it takes true or false.`)
  return {
    log: shardedLog(options.log ?? memoryLog(options.history)),
    topics: normalizeTopics(options.topics ?? []),
    start,
    policy: typeof slowConsumer === 'object' ? 'latest' : slowConsumer,
    latest: typeof slowConsumer === 'object' ? slowConsumer.latest : undefined,
    zlib: compression && requireZlib(),
    detach,
  }
}
