import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { listen, type Listening } from '../support/listen.ts'
import { price } from '../support/market.ts'
import { missingRedis, startRedis } from '../support/redis.ts'
import { serveNode } from '../support/redis-emitter.ts'
import type { RedisServer } from '../support/redis-server.ts'

const prices = ({ events }: Listening): number[] => events.map(({ data }) => JSON.parse(data).usd)
const beats = async (stream: Listening): Promise<void> => {
  const { length } = stream.text
  await stream.until(({ text }) => text.indexOf('\n:\n\n', length) !== -1)
}
const saying = (advice: string): object => ({ code: 'log-unavailable', message: expect.stringContaining(advice) })

interface Refusal {
  /** Commands that bring it about, and that end it. */
  readonly begin: string
  readonly end: string
  /** What the error tells to do. */
  readonly advice: string
}

/** Why a Redis that can be reached takes no events, though it lets them be read. */
const REFUSALS: Record<string, Refusal> = {
  'has no memory left': {
    begin: 'CONFIG SET maxmemory 1',
    end: 'CONFIG SET maxmemory 0',
    advice: 'Raise its maxmemory, or lower the retention.',
  },
  'is a replica': {
    begin: 'REPLICAOF 127.0.0.1 1',
    end: 'REPLICAOF NO ONE',
    advice: 'This is a replica: connect to the primary.',
  },
  'lacks the replicas that it is to have': {
    begin: 'CONFIG SET min-replicas-to-write 1',
    end: 'CONFIG SET min-replicas-to-write 0',
    advice: 'min-replicas-to-write',
  },
  'does not let the user run scripts': {
    begin: 'ACL SETUSER default -@scripting',
    end: 'ACL SETUSER default +@scripting',
    advice: 'Give the user of the connection access to the keys eventwire:* and to EVAL',
  },
  'does not let the user write': {
    begin: 'ACL SETUSER default -xadd',
    end: 'ACL SETUSER default +xadd',
    advice: 'Give the user of the connection access to the keys eventwire:* and to EVAL',
  },
  'does not let the user at the keys': {
    begin: 'ACL SETUSER default resetkeys ~other:*',
    end: 'ACL SETUSER default allkeys',
    advice: 'Give the user of the connection access to the keys eventwire:* and to EVAL',
  },
}

/** A node is refused, says so, and goes on when the cause is gone. */
async function outlast(redis: RedisServer, begin: () => Promise<unknown>, end: string, advice: string): Promise<void> {
  const { url, emitter } = await serveNode(redis.url, { deadline: 1_000 })
  const stream = await listen(url)
  const first = await emitter.emit('price', price(1))
  await begin()
  const refused = emitter.emit('price', price(2))
  await expect(refused).rejects.toMatchObject(saying(advice))
  await expect(refused).rejects.toThrow(/^((?!can be reached).)*$/)
  await beats(stream)
  await redis.command(...end.split(' '))
  await emitter.emit('price', price(3))
  await stream.until(({ events }) => events.length === 2)
  const resumed = await listen(url, { 'last-event-id': first })
  await resumed.until(({ events }) => events.length === 1)
  expect([prices(stream), stream.gaps, prices(resumed), resumed.gaps]).toEqual([[1, 3], [], [3], []])
}

describe.skipIf(missingRedis)('emit rejects and says what to do, streams live on, and all goes on when that is done, when Redis', () => {
  test.each(Object.entries(REFUSALS))('%s', async (_name, { begin, end, advice }) => {
    const redis = await startRedis()
    await outlast(redis, () => redis.command(...begin.split(' ')), end, advice)
  })

  test('cannot save to its disk', async () => {
    const redis = await startRedis({ persistent: 'rdb' })
    const [, folder] = (await redis.command('CONFIG', 'GET', 'dir')) as [string, string]
    const fail = async (): Promise<void> => {
      await mkdir(join(folder, 'dump.rdb'))
      await redis.command('BGSAVE')
      await redis.logged('Background saving error')
    }
    await outlast(redis, fail, 'CONFIG SET stop-writes-on-bgsave-error no', 'disk')
  })
})

describe.skipIf(missingRedis)('when Redis does not let the user read', () => {
  test('onError says what to do, streams wait, and are sent what they missed when that is done', async () => {
    const redis = await startRedis()
    const { url, emitter, faults } = await serveNode(redis.url)
    const stream = await listen(url)
    await redis.command('ACL', 'SETUSER', 'default', '-xread')
    for (const usd of [1, 2, 3]) await emitter.emit('price', price(usd))
    await beats(stream)
    await redis.command('ACL', 'SETUSER', 'default', '+xread')
    await stream.until(({ events }) => events.length === 3)
    expect([prices(stream), stream.gaps]).toEqual([[1, 2, 3], []])
    expect(faults).toMatchObject([saying(REFUSALS['does not let the user write']!.advice)])
  })
})

describe.skipIf(missingRedis).each([
  ['events', []],
  ['log', ['epoch']],
])('when the key eventwire:{…}:%s is of another type', (name, reasons) => {
  const key = `eventwire:{eventwire}:${name}`
  const advice = saying('The key belongs to something else. Give redisLog another key, or delete that one.')

  test('a node answers 503, emit and onError say what to do, and it works when that is done', async () => {
    const redis = await startRedis()
    await redis.command('SET', key, 'of somebody else')
    const { url, emitter, faults } = await serveNode(redis.url, { deadline: 1_000 })
    await expect(emitter.emit('price', price(1))).rejects.toMatchObject(advice)
    expect((await fetch(url)).status).toBe(503)
    expect([faults, await redis.command('GET', key)]).toMatchObject([[advice], 'of somebody else'])
    await redis.command('DEL', key)
    await emitter.emit('price', price(2))
  })

  test('streams that are open live on when it becomes that, and when it is deleted they go on, or hear a gap', async () => {
    const redis = await startRedis()
    const { url, emitter } = await serveNode(redis.url, { deadline: 1_000 })
    const stream = await listen(url)
    await emitter.emit('price', price(1))
    await redis.command('SET', key, 'of somebody else')
    await expect(emitter.emit('price', price(2))).rejects.toMatchObject(advice)
    await beats(stream)
    await redis.command('DEL', key)
    await emitter.emit('price', price(3))
    await stream.until(({ events }) => events.length === 2)
    expect([prices(stream), stream.gaps.map(({ reason }) => reason)]).toEqual([[1, 3], reasons])
  })
})

describe.skipIf(missingRedis)('when Redis wants a password', () => {
  test.each([
    ['none', '', 'Give the password in the url'],
    ['another', ':wrong@', 'Give the right password in the url'],
  ])('a node that has %s answers 503, and emit and onError say what to do', async (_name, given, advice) => {
    const redis = await startRedis({ password: 'secret' })
    const { url, emitter, faults } = await serveNode(`redis://${given}127.0.0.1:${redis.port}`, { deadline: 1_000 })
    await expect(emitter.emit('price', price(1))).rejects.toMatchObject(saying(advice))
    expect((await fetch(url)).status).toBe(503)
    expect(faults).toMatchObject([saying(advice)])
    expect(faults[0]!.message).not.toContain('wrong@')
  })

  test('a node that has it works, whatever the characters of it', async () => {
    const redis = await startRedis({ password: 's:e@c/r et' })
    const { url, emitter } = await serveNode(redis.url)
    const stream = await listen(url)
    await emitter.emit('price', price(1))
    await stream.until(({ events }) => events.length === 1)
    expect(prices(stream)).toEqual([1])
  })
})
