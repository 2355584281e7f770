import { EventwireError } from '../errors.ts'
import type { Log, LogListener } from './log.ts'
import type { Topics } from './topics.ts'

/**
 * Several logs that an emitter uses as one: each topic is in one of them. Order is kept within a shard, and so within a topic.
 *
 * What clients hear of a change of `shardOf`, or of the number of shards, is up to the epochs: they have to be others than before.
 */
export interface ShardedLog {
  /** 1 to 64 logs, no two of the same epoch. */
  readonly shards: readonly Log[]
  /** Where the events of a topic are: an index of `shards`, always the same. Of no topic, which are for everyone: 0. */
  shardOf(topic: string | undefined): number
}

/** What a connection listens to in one shard. */
export interface ShardTopics {
  readonly shard: number
  readonly topics: Topics
}

/** A log as one of a single shard, if it is not sharded. Throws `invalid-option` for shards that are none. */
export function shardedLog(log: Log | ShardedLog): ShardedLog {
  const sharded = 'shards' in log ? log : { shards: [log], shardOf: () => 0 }
  const { shards } = sharded
  if (!Array.isArray(shards) || shards.length < 1 || shards.length > 64 || typeof sharded.shardOf !== 'function')
    throw new EventwireError('invalid-option', 'log.shards takes 1 to 64 logs, and log.shardOf a function that says where a topic is.')
  for (const { epoch } of shards) {
    if (!/^[0-9a-z]{0,128}$/.test(epoch))
      throw new EventwireError('invalid-option', `log.epoch is ${JSON.stringify(epoch)}; it takes up to 128 characters of 0-9a-z.`)
  }
  if (sharded.shardOf(undefined) !== 0)
    throw new EventwireError('invalid-option', 'log.shardOf gives no 0 for undefined: what is for everyone has to be in shard 0.')
  return sharded
}

/** The index of the shard of a topic. Throws `invalid-option` when there is no such shard. */
export function shardFor(log: ShardedLog, topic: string | undefined): number {
  const shard = log.shardOf(topic)
  if (log.shards[shard]) return shard
  throw new EventwireError('invalid-option', `log.shardOf gives no index of log.shards for the topic ${JSON.stringify(topic)}.`)
}

/** Where topics lie, ascending by shard. Shard 0 is always among them, with what is for everyone. */
export function shardsOf(log: ShardedLog, topics: Topics): readonly ShardTopics[] {
  if (log.shards.length === 1) return [{ shard: 0, topics }]
  if (topics === '*') return log.shards.map((_, shard) => ({ shard, topics }))
  const found = new Map<number, string[]>([[0, []]])
  for (const topic of topics) {
    const shard = shardFor(log, topic)
    const others = found.get(shard)
    if (others) others.push(topic)
    else found.set(shard, [topic])
  }
  return Array.from(found, ([shard, inShard]) => ({ shard, topics: inShard })).sort((a, b) => a.shard - b.shard)
}

/** Takes all the logs, or none. Gives a function that lets go of them. Throws as `listen` of a log does. */
export function listenToAll(listeners: readonly (LogListener & { readonly log: Log })[]): () => void {
  const held: (() => void)[] = []
  const release = (): void => {
    for (const letGo of held) letGo()
  }
  try {
    for (const listener of listeners) held.push(listener.log.listen(listener))
  } catch (error) {
    release()
    throw error
  }
  return release
}
