import type { ShardedLog } from '../server/sharding.ts'
import type { RedisLog } from './redis-log.ts'

const utf8 = new TextEncoder()

/** Spreads topics over as many logs of keys of their own, which `make` makes. */
export function shardedRedisLog(key: string, count: number, make: (key: string) => RedisLog): ShardedLog {
  // With the number of them: else a topic that is elsewhere with another number would be missed in silence, for the epochs would be the same.
  const shards = Array.from({ length: count }, (_, shard) => make(`${key}.${shard}of${count}`))
  return { shards, shardOf: (topic) => (topic === undefined ? 0 : fnv1a(topic) % count) }
}

/** FNV-1a of 32 bits over UTF-8: the same in every language, and spreads names that are nearly alike. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of utf8.encode(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}
