import { afterAll, beforeAll, describe, test } from 'vitest'
import { redisLog, type RedisLog } from 'eventwire/redis'
import { testLog } from 'eventwire/testing'
import { missingRedis } from '../support/redis.ts'
import { launchRedis, type RedisServer } from '../support/redis-server.ts'

describe.skipIf(missingRedis).each([10, 1_000])('a log in Redis, with %i events in memory', (events) => {
  let redis: RedisServer
  let logs = 0
  const create = (key = `log ${++logs}`): RedisLog => redisLog({ url: redis.url, key, history: { events } })
  beforeAll(async () => {
    redis = await launchRedis()
  })
  afterAll(() => redis.dispose())

  testLog(test, () => create(), {
    events,
    reset: () => redis.command('FLUSHALL'),
    shared() {
      const key = `shared ${++logs}`
      return [create(key), create(key)]
    },
  })
})
