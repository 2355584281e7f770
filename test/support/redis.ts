import { onTestFinished } from 'vitest'
import { REDIS } from '../../scripts/programs.ts'
import { missing } from './program.ts'
import { launchCluster, type RedisCluster } from './redis-cluster.ts'
import { launchRedis, type RedisServer, type RedisServerOptions } from './redis-server.ts'

/** Why the tests with Redis cannot run here; `undefined` when they can. */
export const missingRedis = missing(REDIS)

/** A real Redis that is gone at the end of the test. */
export async function startRedis(options?: RedisServerOptions): Promise<RedisServer> {
  const server = await launchRedis(options)
  onTestFinished(server.dispose)
  return server
}

/** A real cluster of three that is gone at the end of the test. */
export async function startCluster(): Promise<RedisCluster> {
  const cluster = await launchCluster()
  onTestFinished(cluster.dispose)
  return cluster
}
