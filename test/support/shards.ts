import type { Log, ShardedLog, Topics } from 'eventwire/server'

export interface Place {
  readonly epoch: string
  readonly seq: number
}

const SHARDS: ReadonlyMap<string | undefined, number> = new Map([
  ['B', 1],
  ['C', 2],
  ['D', 2],
])

/** B is in shard 1, C and D are in shard 2, all else is in shard 0. */
export const SHARD_OF = (topic: string | undefined): number => SHARDS.get(topic) ?? 0

/** Three logs as one. */
export function sharded(shards: readonly Log[]): ShardedLog {
  return { shards, shardOf: SHARD_OF }
}

/** The shards that a connection has to do with. */
export function shardsOf(topics: Topics, count: number): number[] {
  if (topics === '*') return Array.from({ length: count }, (_, shard) => shard)
  return [...new Set([0, ...topics.map(SHARD_OF)])].sort((a, b) => a - b)
}

/** The places that a cursor means, by shard; one that names no shard is of the first. */
export function placesOf(cursor: string): ReadonlyMap<number, Place> {
  return new Map(
    cursor.split('_').map((part) => {
      const [shard, place] = part.includes('.') ? part.split('.') : ['0', part]
      const [epoch, seq] = place!.split('-')
      return [Number(shard), { epoch: epoch!, seq: Number(seq) }]
    }),
  )
}
