import { createCluster } from 'redis'
import { describe, expect, test } from 'vitest'
import { redisLog, type RedisLogOptions, type ShardedRedisLogOptions } from 'eventwire/redis'
import type { Emitter, ShardedLog } from 'eventwire/server'
import { caught } from '../support/caught.ts'
import { serveEmitter } from '../support/emitter.ts'
import { listen, type Listening } from '../support/listen.ts'
import { price, type Market } from '../support/market.ts'
import { seeded } from '../support/random.ts'
import { missingRedis, startCluster, startRedis } from '../support/redis.ts'
import { collector, subscribe } from '../support/subscribe.ts'

const SHARDS = 4
/** The first of each that lie in shard 1, 2 and 3 of four. */
const [ONE, TWO, THREE] = ['b', 'c', 'd'] as const

interface Node {
  readonly url: string
  readonly log: ShardedLog
  readonly emitter: Emitter<Market>
  cut(): void
}

async function serveNode(url: string, options: Partial<ShardedRedisLogOptions> = {}): Promise<Node> {
  const log = redisLog({ url, shards: SHARDS, ...options })
  const { emitter, cut, url: served } = await serveEmitter({ log, heartbeat: 20, onError: () => {} })
  return { url: served, log, emitter, cut }
}

const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b)
const prices = ({ events }: Listening): number[] => events.map(({ data }) => JSON.parse(data).usd)
const has = (count: number) => (stream: Listening) => stream.events.length >= count
const emit = ({ emitter }: Node, usd: number, topic?: string): Promise<string> =>
  emitter.emit('price', price(usd), topic === undefined ? undefined : { topic })

test.each<[topic: string | undefined, shard: number]>([
  // FNV-1a of 32 bits, by the vectors of its authors: 811c9dc5, e40c292c, bf9cf968.
  [undefined, 0],
  ['', 0x811c9dc5 % 61],
  ['a', 0xe40c292c % 61],
  ['foobar', 0xbf9cf968 % 61],
  ['ä', [0xc3, 0xa4].reduce((hash, byte) => Number(((BigInt(hash ^ byte) & 0xffffffffn) * 0x01000193n) & 0xffffffffn), 0x811c9dc5) % 61],
])('topic %j is in the shard that its hash says', (topic, shard) => {
  expect(redisLog({ url: 'redis://127.0.0.1', shards: 61 }).shardOf(topic)).toBe(shard)
})

test('names that are nearly alike are spread evenly', () => {
  const { shardOf } = redisLog({ url: 'redis://127.0.0.1', shards: 8 })
  const counts = Array.from({ length: 8 }, () => 0)
  for (let i = 0; i < 8_000; i++) counts[shardOf(`user:${i}`)]!++
  expect(Math.min(...counts)).toBeGreaterThan(900)
  expect(Math.max(...counts)).toBeLessThan(1_100)
})

test.each([0, 1, 65, 2.5, Number.NaN, '4', null])('shards: %j is refused', (shards) => {
  const error = caught(() => redisLog({ url: 'redis://127.0.0.1', shards: shards as number }))
  expect(error).toMatchObject({ code: 'invalid-option', message: expect.stringContaining('shards') })
})

test('without shards it is one log', () => {
  const options: RedisLogOptions = { url: 'redis://127.0.0.1' }
  expect(['shards' in redisLog(options), 'shards' in redisLog({ ...options, shards: 2 })]).toEqual([false, true])
})

describe.skipIf(missingRedis)('over the shards of one Redis', () => {
  test('each topic has a key of its shard, and everyone hears what has no topic', async () => {
    const redis = await startRedis()
    const [one, two] = [await serveNode(redis.url, { key: 'news' }), await serveNode(redis.url, { key: 'news' })]
    const stream = await listen(`${two.url}?topic=${ONE}&topic=${TWO}&topic=${THREE}`)
    for (const [usd, topic] of [
      [1, ONE],
      [2, TWO],
      [3, THREE],
      [4, undefined],
    ] as const)
      await emit(one, usd, topic)
    await stream.until(has(4))
    expect(sorted(prices(stream))).toEqual([1, 2, 3, 4])
    const keys = (await redis.command('KEYS', '*:events')) as string[]
    expect(keys.sort()).toEqual([0, 1, 2, 3].map((shard) => `eventwire:{news.${shard}of4}:events`))
  })

  test('a client that is sent from node to node hears every event of its topics once, each shard in order', async () => {
    const redis = await startRedis()
    const nodes = [await serveNode(redis.url), await serveNode(redis.url), await serveNode(redis.url)]
    const random = seeded(7)
    const some = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!
    const TOPICS = [undefined, 'a', ONE, TWO, THREE]
    const clients = [['a'], [ONE], [TWO, THREE], ['a', ONE, TWO, THREE], ['*']].map((topics) => {
      const query = topics.map((topic) => `topic=${topic}`).join('&')
      const { stream, gaps, status } = subscribe(() => `${some(nodes).url}?${query}`)
      const heard = collector<number>()
      stream.on('price', ({ usd }) => heard.take(usd))
      return { topics, heard, gaps, status }
    })
    await Promise.all(clients.map(({ status }) => status((it) => it.state === 'open' && it.resumed !== undefined)))
    const published: { usd: number; topic: string | undefined }[] = []
    const EVENTS = 1_500
    for (let usd = 1; usd <= EVENTS; usd += 10) {
      const batch = Array.from({ length: 10 }, (_, i) => ({ usd: usd + i, topic: some(TOPICS) }))
      // One node for each topic at a time, so that what comes first is known.
      await Promise.all(batch.map(({ usd: each, topic }) => emit(nodes[TOPICS.indexOf(topic) % 3]!, each, topic)))
      published.push(...batch)
      if (random() < 0.3) some(nodes).cut()
    }
    for (const { topics, heard, gaps } of clients) {
      const due = published.filter(({ topic }) => topic === undefined || topics.includes(topic) || topics.includes('*'))
      await heard.reach(due.length)
      expect(gaps).toEqual([])
      for (const topic of TOPICS) {
        const of = new Map(published.map((it) => [it.usd, it.topic]))
        expect(heard.items.filter((usd) => of.get(usd) === topic)).toEqual(due.filter((it) => it.topic === topic).map(({ usd }) => usd))
      }
      expect(heard.items).toHaveLength(due.length)
    }
  })

  test('a cursor of one node is good on another that has interleaved the shards otherwise, and on one that begins later', async () => {
    const redis = await startRedis()
    const [one, two] = [await serveNode(redis.url), await serveNode(redis.url)]
    const stream = await listen(`${one.url}?topic=*`)
    const topics = ['a', ONE, TWO, THREE, undefined]
    await Promise.all(Array.from({ length: 50 }, (_, usd) => emit(usd % 2 ? one : two, usd, topics[usd % 5])))
    await stream.until(has(50))
    const third = await serveNode(redis.url, { history: { events: 2 } })
    for (const i of [0, 7, 23, 41, 49]) {
      for (const node of [two, third]) {
        const again = await listen(`${node.url}?topic=*`, { 'last-event-id': stream.events[i]!.id })
        await again.until(has(49 - i))
        await again.until(({ cursor }) => cursor === stream.cursor)
        expect(sorted([...prices(stream).slice(0, i + 1), ...prices(again)])).toEqual(Array.from({ length: 50 }, (_, usd) => usd))
        expect([again.ready.resumed, again.gaps]).toEqual([true, []])
        again.leave()
      }
    }
  })

  test('when the keys of one shard are lost, there is a gap for that alone', async () => {
    const redis = await startRedis()
    const [one, two] = [await serveNode(redis.url), await serveNode(redis.url)]
    const streams = [await listen(`${one.url}?topic=*`), await listen(`${two.url}?topic=*`)]
    const unconcerned = await listen(`${two.url}?topic=${TWO}&topic=${THREE}`)
    const before = await listen(`${one.url}?topic=*`)
    for (const [usd, topic] of [
      [1, 'a'],
      [2, ONE],
      [3, TWO],
      [4, THREE],
    ] as const)
      await emit(one, usd, topic)
    for (const stream of [...streams, before]) await stream.until(has(4))
    before.leave()
    await redis.command('DEL', 'eventwire:{eventwire.1of4}:events', 'eventwire:{eventwire.1of4}:log')
    for (const stream of streams) await stream.until(({ gaps }) => gaps.length > 0)
    for (const [usd, topic] of [
      [5, 'a'],
      [6, ONE],
      [7, TWO],
      [8, THREE],
    ] as const)
      await emit(two, usd, topic)
    for (const stream of streams) {
      await stream.until(has(8))
      expect([sorted(prices(stream)), stream.gaps.map(({ reason }) => reason)]).toEqual([[1, 2, 3, 4, 5, 6, 7, 8], ['epoch']])
    }
    await unconcerned.until(has(5 - 1))
    expect([sorted(prices(unconcerned)), unconcerned.gaps]).toEqual([[3, 4, 7, 8], []])
    const late = await listen(`${two.url}?topic=*`, { 'last-event-id': before.cursor })
    await late.until(has(4))
    expect([sorted(prices(late)), late.gaps.map(({ reason }) => reason)]).toEqual([[5, 6, 7, 8], ['epoch']])
  })

  test.each<[name: string, before: number | undefined, after: number | undefined]>([
    ['more shards', 2, 4],
    ['fewer shards', 6, 4],
    ['shards where there were none', undefined, 4],
    ['none where there were some', 4, undefined],
  ])('every client hears a gap when there are %s', async (_name, before, after) => {
    const redis = await startRedis()
    const logOf = (shards: number | undefined) =>
      shards === undefined ? redisLog({ url: redis.url }) : redisLog({ url: redis.url, shards })
    const old = await serveEmitter({ log: logOf(before), heartbeat: 20 })
    const queries = ['', '?topic=a', `?topic=${ONE}`, `?topic=${TWO}&topic=${THREE}`, '?topic=*']
    const streams = await Promise.all(queries.map((query) => listen(old.url + query)))
    await old.emitter.emit('price', price(1))
    for (const stream of streams) await stream.until(has(1))
    await old.emitter.close()
    const next = await serveEmitter({ log: logOf(after), heartbeat: 20 })
    for (const [i, query] of queries.entries()) {
      const stream = await listen(next.url + query, { 'last-event-id': streams[i]!.cursor })
      await stream.until(({ gaps }) => gaps.length > 0)
      expect(stream.ready.resumed).toBe(false)
    }
  })

  test('while Redis is away streams of several shards stay open, and catch up', async () => {
    const redis = await startRedis({ persistent: 'aof' })
    const node = await serveNode(redis.url, { deadline: 10_000 })
    const stream = await listen(`${node.url}?topic=*`)
    await emit(node, 1, ONE)
    await stream.until(has(1))
    await redis.kill()
    const waiting = [emit(node, 2, TWO), emit(node, 3, THREE)]
    await redis.start()
    await Promise.all(waiting)
    await stream.until(has(3))
    expect([sorted(prices(stream)), stream.gaps]).toEqual([[1, 2, 3], []])
  })

  test('a cluster has the shards on several of its nodes', async () => {
    const cluster = await startCluster()
    const client = createCluster({ rootNodes: cluster.urls.map((url) => ({ url })) })
    const node = await serveEmitter({ log: redisLog({ client, shards: 7 }), heartbeat: 20 })
    const stream = await listen(`${node.url}?topic=*`)
    await Promise.all(Array.from({ length: 40 }, (_, usd) => node.emitter.emit('price', price(usd), { topic: `topic ${usd}` })))
    await stream.until(has(40))
    expect([sorted(prices(stream)), stream.gaps]).toEqual([Array.from({ length: 40 }, (_, usd) => usd), []])
    const keys = await Promise.all(cluster.servers.map((server) => server.command('KEYS', '*:events')))
    for (const own of keys) expect(own).not.toEqual([])
  })
})
