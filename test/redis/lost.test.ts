import { describe, expect, test } from 'vitest'
import { listen, type Listening } from '../support/listen.ts'
import { price } from '../support/market.ts'
import { missingRedis, startRedis } from '../support/redis.ts'
import { serveNode, type ServedNode } from '../support/redis-emitter.ts'
import { startProxy } from '../support/redis-proxy.ts'
import type { RedisServer } from '../support/redis-server.ts'

const prices = ({ events }: Listening): number[] => events.map(({ data }) => JSON.parse(data).usd)
const heard = (usd: number) => (stream: Listening) => prices(stream).includes(usd)
/** What a stream has told, in order: prices, and the reasons of gaps. */
const story = ({ messages }: Listening): unknown[] =>
  messages.filter(({ event }) => event === 'price' || event === '$gap').map(({ data }) => JSON.parse(data).usd ?? JSON.parse(data).reason)
const emit = async ({ emitter }: ServedNode, ...numbers: number[]): Promise<string[]> => {
  const ids: string[] = []
  for (const usd of numbers) ids.push(await emitter.emit('price', price(usd)))
  return ids
}
const epochOf = (id: string): string => id.split('-')[0]!

/** Ways in which everything goes. */
const WIPES: Record<string, (redis: RedisServer) => Promise<unknown>> = {
  'Redis comes back empty': async (redis) => {
    await redis.kill()
    await redis.start()
  },
  FLUSHALL: (redis) => redis.command('FLUSHALL'),
  'the log is deleted': (redis) => redis.command('DEL', 'eventwire:{eventwire}:events', 'eventwire:{eventwire}:log'),
}

describe.skipIf(missingRedis).each(Object.entries(WIPES))('after %s', (_name, wipe) => {
  test('every client hears one gap on every node, and the stream goes on', async () => {
    const redis = await startRedis()
    const [one, two] = [await serveNode(redis.url), await serveNode(redis.url)]
    const streams = [await listen(one.url), await listen(two.url)]
    const [first, second] = await emit(one, 1, 2)
    for (const stream of streams) await stream.until(heard(2))
    await wipe(redis)
    // Nothing is emitted: that something is lost is known all the same.
    for (const stream of streams) await stream.until(({ gaps }) => gaps.length > 0)
    const [third] = await emit(two, 3)
    await emit(one, 4)
    for (const stream of streams) {
      await stream.until(heard(4))
      expect([story(stream), stream.gaps[0]!.requested]).toEqual([[1, 2, 'epoch', 3, 4], second])
    }
    const late = await listen(two.url, { 'last-event-id': first! })
    await late.until(heard(4))
    expect([story(late), epochOf(third!) === epochOf(first!)]).toEqual([['epoch', 3, 4], false])
  })

  test('what is emitted at once is heard on every node, behind the gap', async () => {
    const redis = await startRedis()
    const [one, two] = [await serveNode(redis.url), await serveNode(redis.url)]
    const streams = [await listen(one.url), await listen(two.url)]
    await emit(one, 1, 2, 3)
    for (const stream of streams) await stream.until(heard(3))
    await wipe(redis)
    // More than there were, so that the numbers of the lost ones are taken again.
    await emit(one, 4, 5, 6, 7, 8)
    for (const stream of streams) {
      await stream.until(heard(8))
      expect(story(stream)).toEqual([1, 2, 3, 'epoch', 4, 5, 6, 7, 8])
    }
  })
})

describe.skipIf(missingRedis)('what Redis has kept or lost', () => {
  test('nobody hears a gap after a Redis that keeps everything was restarted, however it ended', async () => {
    const redis = await startRedis({ persistent: 'aof' })
    const one = await serveNode(redis.url)
    const stream = await listen(one.url)
    const ids = await emit(one, 1, 2)
    for (const end of [redis.stop, redis.kill]) {
      await end()
      await redis.start()
    }
    const two = await serveNode(redis.url)
    await emit(two, 3)
    await stream.until(heard(3))
    const resumed = await listen(two.url, { 'last-event-id': ids[0]! })
    await resumed.until(heard(3))
    expect([story(stream), story(resumed), resumed.ready.resumed]).toEqual([[1, 2, 3], [2, 3], true])
  })

  test('every client hears a gap after Redis was restarted from an older snapshot, and no id is given twice', async () => {
    const redis = await startRedis({ persistent: 'rdb' })
    const [one, two] = [await serveNode(redis.url), await serveNode(redis.url)]
    const streams = [await listen(one.url), await listen(two.url)]
    const kept = await emit(one, 1, 2, 3)
    await redis.command('SAVE')
    const lost = await emit(one, 4, 5)
    for (const stream of streams) await stream.until(heard(5))
    await redis.kill()
    await redis.start()
    const next = await emit(two, 6, 7, 8)
    for (const stream of streams) {
      await stream.until(heard(8))
      expect(story(stream)).toEqual([1, 2, 3, 4, 5, 'epoch', 6, 7, 8])
    }
    const ids = [...kept, ...lost, ...next]
    expect(new Set(ids).size).toBe(ids.length)
    // A client that has heard what is lost comes to a node that never had it.
    const three = await serveNode(redis.url)
    const late = await listen(three.url, { 'last-event-id': lost[0]! })
    await late.until(heard(8))
    expect(story(late)).toEqual(['epoch', 6, 7, 8])
  })

  test('every client hears a gap each time that Redis goes back to the same snapshot, and no id is given twice', async () => {
    const redis = await startRedis({ persistent: 'rdb' })
    const one = await serveNode(redis.url)
    const stream = await listen(one.url)
    const ids = await emit(one, 1, 2)
    await redis.command('SAVE')
    const goBack = async (): Promise<void> => {
      await stream.until(heard(ids.length))
      await redis.kill()
      await redis.start()
    }
    ids.push(...(await emit(one, 3, 4, 5)))
    await goBack()
    ids.push(...(await emit(one, 6, 7, 8)))
    await goBack()
    ids.push(...(await emit(one, 9, 10, 11)))
    await stream.until(heard(11))
    expect([story(stream), new Set(ids).size]).toEqual([[1, 2, 3, 4, 5, 'epoch', 6, 7, 8, 'epoch', 9, 10, 11], ids.length])
    const late = await listen(one.url, { 'last-event-id': ids[2]! })
    await late.until(heard(11))
    expect(story(late)).toEqual(['epoch', 9, 10, 11])
  })

  test('what was confirmed and is lost before any node has heard it is known to the node that emitted it', async () => {
    const redis = await startRedis({ persistent: 'rdb' })
    const one = await serveNode(redis.url)
    const stream = await listen(one.url)
    await emit(one, 1, 2)
    await stream.until(heard(2))
    await redis.command('SAVE')
    // From here on it can append, and hears nothing.
    await redis.command('ACL', 'SETUSER', 'default', '-xread')
    await redis.command('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
    await emit(one, 3)
    await redis.kill()
    await redis.start()
    await emit(one, 4)
    await stream.until(heard(4))
    expect(story(stream)).toEqual([1, 2, 'epoch', 4])
  })

  test('the same holds when others have gone on from the snapshot before a node that knows more is back', async () => {
    const redis = await startRedis({ persistent: 'rdb' })
    const proxy = await startProxy(redis.port)
    const one = await serveNode(proxy.url)
    const stream = await listen(one.url)
    await emit(one, 1, 2, 3)
    await redis.command('SAVE')
    await emit(one, 4, 5)
    await stream.until(heard(5))
    proxy.lead(undefined)
    await redis.kill()
    await redis.start()
    const two = await serveNode(redis.url)
    const other = await listen(two.url)
    await emit(two, 14, 15, 16)
    await other.until(heard(16))
    proxy.lead(redis.port)
    for (const it of [stream, other]) await it.until(({ gaps }) => gaps.length > 0)
    await emit(two, 17)
    await emit(one, 18)
    for (const it of [stream, other]) await it.until(heard(18))
    expect([story(stream), story(other)]).toEqual([
      [1, 2, 3, 4, 5, 'epoch', 17, 18],
      [14, 15, 16, 'epoch', 17, 18],
    ])
  })

  test('a fail-over to a replica that has everything goes unnoticed', async () => {
    const primary = await startRedis()
    const replica = await startRedis({ replicaOf: primary.port })
    const proxy = await startProxy(primary.port)
    const [one, two] = [await serveNode(proxy.url), await serveNode(proxy.url)]
    const streams = [await listen(one.url), await listen(two.url)]
    await emit(one, 1, 2)
    await primary.replicated()
    await primary.kill()
    const waiting = emit(one, 3)
    await replica.command('REPLICAOF', 'NO', 'ONE')
    proxy.lead(replica.port)
    await waiting
    await emit(two, 4)
    for (const stream of streams) {
      await stream.until(heard(4))
      expect(story(stream)).toEqual([1, 2, 3, 4])
    }
  })

  test('every client hears a gap after a fail-over to a replica that lacks the last events', async () => {
    const primary = await startRedis()
    const replica = await startRedis({ replicaOf: primary.port })
    const proxy = await startProxy(primary.port)
    const [one, two] = [await serveNode(proxy.url), await serveNode(proxy.url)]
    const streams = [await listen(one.url), await listen(two.url)]
    await emit(one, 1, 2)
    await primary.replicated()
    await replica.command('REPLICAOF', 'NO', 'ONE')
    const [third] = await emit(one, 3, 4)
    for (const stream of streams) await stream.until(heard(4))
    await primary.kill()
    proxy.lead(replica.port)
    await emit(two, 5, 6, 7)
    for (const stream of streams) {
      await stream.until(heard(7))
      expect(story(stream)).toEqual([1, 2, 3, 4, 'epoch', 5, 6, 7])
    }
    const late = await listen(two.url, { 'last-event-id': third! })
    await late.until(heard(7))
    expect(story(late)).toEqual(['epoch', 5, 6, 7])
  })
})
