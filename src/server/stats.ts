import { formatComposite } from './composite.ts'
import { formatCursor } from './cursor.ts'
import type { Fanout } from './fanout.ts'

/** What `stats` of an emitter gives: how it stands now, and what has happened since it was made. */
export interface EmitterStats {
  /** Open connections. */
  readonly connections: number
  /** Open connections by topic; one that listens to several is counted under each. No prototype: any name may be a key. */
  readonly topics: Readonly<Record<string, number>>
  /** Open connections that listen to every topic. */
  readonly everyTopic: number
  /** Where there are shards, of all of them together. */
  readonly log: {
    /** Events held. */
    readonly events: number
    /** Bytes of the encoded events held. */
    readonly bytes: number
    /** Id of the newest event; of none yet, it ends in `-0`. Where there are shards, the cursor behind all that is in any of them. */
    readonly head: string
    /** Events that have made room for newer ones, since the log began or was cleared. */
    readonly evictions: number
  }
  /** How many events the slowest connection is behind the head, of whatever topic. */
  readonly lag: number
  /** Bytes that transports hold for clients that have yet to take them. */
  readonly buffered: number
  /** Events emitted so far. */
  readonly emits: number
  /** Gaps declared so far. */
  readonly gaps: number
  /** Connections so far that resumed from their cursor. */
  readonly replays: number
  /** Requests refused so far, by status. */
  readonly refusals: Readonly<Record<number, number>>
}

/** What is counted as it happens. */
export interface Counters {
  emits: number
  gaps: number
  replays: number
  readonly refusals: Record<number, number>
}

export function createCounters(): Counters {
  return { emits: 0, gaps: 0, replays: 0, refusals: {} }
}

export function countRefusal({ refusals }: Pick<Counters, 'refusals'>, status: number): void {
  refusals[status] = (refusals[status] ?? 0) + 1
}

/**
 * How an emitter stands. Looks at every connection.
 *
 * @param fanouts One for each shard. Every connection is in the first.
 */
export function statsOf(fanouts: readonly Fanout[], counters: Counters): EmitterStats {
  const topics = Object.create(null) as Record<string, number>
  let everyTopic = 0
  let connected = 0
  let lag = 0
  let buffered = 0
  const log = { events: 0, bytes: 0, evictions: 0 }
  for (const [shard, { groups, connections, log: held }] of fanouts.entries()) {
    for (const group of groups) {
      if (group.topics !== '*') for (const topic of group.topics) topics[topic] = (topics[topic] ?? 0) + group.size
      else if (shard === 0) everyTopic += group.size
    }
    for (const connection of connections) {
      lag = Math.max(lag, connection.lag)
      buffered += connection.transport.buffered
    }
    if (shard === 0) connected = connections.size
    const { oldest, head, bytes } = held
    log.events += head - oldest + 1
    log.bytes += bytes
    log.evictions += oldest - 1
  }
  const heads = fanouts.map(({ log: { epoch, head } }) => formatCursor(epoch, head))
  return {
    connections: connected,
    topics,
    everyTopic,
    log: { ...log, head: heads.length === 1 ? heads[0]! : formatComposite(heads.entries()) },
    lag,
    buffered,
    ...counters,
    refusals: { ...counters.refusals },
  }
}
