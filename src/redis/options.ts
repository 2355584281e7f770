import { EventwireError } from '../errors.ts'
import { milliseconds, wholeNumber, type Duration } from '../server/duration.ts'
import { checkMembers, type Members } from '../server/members.ts'
import { settleHistory, type HistoryOptions } from '../server/memory-log.ts'
import type { RingBounds } from '../server/ring-log.ts'
import { clientsLike, clientsOf, type AnyRedis, type MakeClient } from './client.ts'

/** What Redis keeps of a log. */
export interface RetentionOptions {
  /** About how many events, at least; Redis drops older ones when it is cheap to. Older cursors hear a `gap`. From 1. Default: 100,000. */
  events?: number | undefined
  /** How long the whole log outlives its last event, in ms or as `'7d'`. Then a new one begins, and every cursor hears a `gap`. Default: Infinity. */
  age?: Duration | undefined
}

/** Options of `redisLog`. Give either `url` or `client`. */
export interface RedisLogOptions {
  /** Where Redis is: `redis://user:password@host:6379`, or `rediss:` for TLS. Needs the package `redis`. */
  url?: string | undefined
  /** What `createClient`, `createCluster` or, of redis 6, `createSentinel` of the package `redis` gives. It is only asked to `duplicate()` itself, whether it is connected or not, and never closed. */
  client?: AnyRedis | undefined
  /** Names the log: emitters of the same contract and key are one. 1 to 256 characters without braces. Default: `'eventwire'`. */
  key?: string | undefined
  /** What each node holds in memory; the rest is read from Redis. Default: 10,000 events, 64 MiB, any age. */
  history?: HistoryOptions | undefined
  retention?: RetentionOptions | undefined
  /** How long `emit` waits for Redis before it rejects with `log-unavailable`, and a request for what the node has yet to hear, in ms or as `'5s'`. From 1. Default: 5,000. */
  deadline?: Duration | undefined
}

/** Options of `redisLog` for a log in several shards. */
export interface ShardedRedisLogOptions extends RedisLogOptions {
  /**
   * Over how many keys topics are spread, `<key>.<i>of<shards>`, so that appends share the nodes of a cluster: by the FNV-1a hash (32 bits) of a topic's UTF-8, modulo
   * `shards`; what is for everyone is in shard 0. `history` and `retention` are of each. Another number begins anew: every client hears a `gap`. From 2 to 64.
   */
  shards: number
}

/** The options with their defaults, checked. */
export interface RedisSettings {
  readonly makeClient: MakeClient
  readonly key: string
  readonly history: RingBounds
  readonly events: number
  readonly age: number
  readonly deadline: number
  /** `undefined` for a log that is one. */
  readonly shards: number | undefined
}

const MEMBERS: Members<ShardedRedisLogOptions> = {
  url: 'value',
  client: 'value',
  key: 'value',
  history: 'value',
  retention: 'value',
  deadline: 'value',
  shards: 'value',
}
const RETENTION: Members<RetentionOptions> = { events: 'value', age: 'value' }

/** Checks options and fills in defaults. Throws `invalid-option`, which names the option. */
export function settle(options: RedisLogOptions | ShardedRedisLogOptions): RedisSettings {
  checkMembers('redisLog', options as ShardedRedisLogOptions, MEMBERS)
  const { key = 'eventwire', retention = {}, shards }: Partial<ShardedRedisLogOptions> = options
  if (typeof key !== 'string' || !/^[^{}]{1,256}$/.test(key) || !key.isWellFormed())
    throw new EventwireError('invalid-option', `redisLog: key is ${JSON.stringify(key)}; give 1 to 256 characters without braces.`)
  checkMembers('retention', retention, RETENTION)
  const deadline = milliseconds('deadline', options.deadline ?? 5_000)
  return {
    makeClient: makerOf(options),
    key,
    history: settleHistory(options.history),
    events: wholeNumber('retention.events', retention.events ?? 100_000, 1, Number.MAX_SAFE_INTEGER),
    age: milliseconds('retention.age', retention.age ?? Infinity),
    deadline: wholeNumber('deadline', Math.ceil(deadline), 1, 2 ** 31 - 1),
    shards: shards === undefined ? undefined : wholeNumber('shards', shards, 2, 64),
  }
}

function makerOf({ url, client }: RedisLogOptions): MakeClient {
  if ((url === undefined) === (client === undefined))
    throw new EventwireError('invalid-option', 'redisLog takes either a url or a client of the package redis.')
  if (client) {
    if (typeof client.duplicate === 'function' && typeof client.sendCommand === 'function') return clientsLike(client)
    throw new EventwireError(
      'invalid-option',
      'redisLog: client is none of the package redis that can be duplicated. Give what createClient, createCluster or, of redis 6, createSentinel returned.',
    )
  }
  if (typeof url === 'string' && isRedis(url)) return clientsOf(url)
  // Without the url: it may hold a password.
  throw new EventwireError(
    'invalid-option',
    'redisLog: url is none of Redis. It is like redis://user:password@host:6379, or rediss: for TLS; with /1 for the database of that number, and what is special in a password as %40.',
  )
}

function isRedis(url: string): boolean {
  try {
    const { protocol, username, password, pathname } = new URL(url)
    // A stray % in them would be found out only when it connects.
    decodeURIComponent(username + password)
    return (protocol === 'redis:' || protocol === 'rediss:') && /^(\/\d*)?$/.test(pathname)
  } catch {
    return false
  }
}
