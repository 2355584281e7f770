export { redisLog, type RedisLog } from './redis-log.ts'
export type { RedisLogOptions, RetentionOptions, ShardedRedisLogOptions } from './options.ts'
export type { AnyRedis, RedisClient, RedisCluster, RedisSentinel } from './client.ts'
