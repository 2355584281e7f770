import { describe, expect, test } from 'vitest'
import { publishHandler } from 'eventwire/server'
import { listen, type Listening } from '../support/listen.ts'
import { price } from '../support/market.ts'
import { missingRedis, startRedis } from '../support/redis.ts'
import { serveNode } from '../support/redis-emitter.ts'
import { startProxy } from '../support/redis-proxy.ts'
import { collector, subscribe } from '../support/subscribe.ts'

const prices = ({ events }: Listening): number[] => events.map(({ data }) => JSON.parse(data).usd)
const beats = async (stream: Listening): Promise<void> => {
  const { length } = stream.text
  await stream.until(({ text }) => text.indexOf('\n:\n\n', length) !== -1)
}
const unavailable = { code: 'log-unavailable', message: expect.stringContaining('Look whether Redis runs and can be reached from here.') }

describe.skipIf(missingRedis)('when Redis is away', () => {
  test('a node that starts first answers 503 with Retry-After and rejects each emit, and works as soon as Redis is there', async () => {
    const redis = await startRedis()
    await redis.stop()
    const { url, emitter, faults } = await serveNode(redis.url, { deadline: 100 })
    const { status, headers } = await fetch(url)
    expect([status, headers.get('retry-after')]).toEqual([503, '1'])
    await expect(emitter.emit('price', price(1))).rejects.toMatchObject(unavailable)
    expect(faults).toMatchObject([unavailable])

    const { stream, status: until, errors } = subscribe(url)
    const heard = collector<number>()
    stream.on('price', ({ usd }) => heard.take(usd))
    await until((it) => it.state === 'connecting' && it.error?.status === 503)
    const opened = until(({ state }) => state === 'open')
    await redis.start()
    await opened
    await emitter.emit('price', price(2))
    expect([await heard.reach(1), errors, faults.length]).toEqual([[2], [], 1])
  })

  test('what is posted meanwhile is answered with 503, which does not say what is wrong with Redis', async () => {
    const redis = await startRedis()
    await redis.stop()
    const { emitter, faults } = await serveNode(redis.url, { deadline: 100 })
    const { handle } = publishHandler(emitter, { authorize: () => true, onError: (error) => reported.push(error) })
    const reported: unknown[] = []
    const body = JSON.stringify({ event: 'price', data: price(1) })
    const post = new Request('http://node/events', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
    const answer = await handle(post)
    const { detail, code } = (await answer.json()) as Record<string, unknown>
    expect([answer.status, answer.headers.get('retry-after'), code]).toEqual([503, '1', 'log-unavailable'])
    expect(detail).toBe('It is not known whether the event was published: its log did not answer.')
    expect([reported, faults.length]).toEqual([[], 1])
  })

  test('streams stay open with heartbeats, emit rejects after its deadline, and then all goes on where it was', async () => {
    const redis = await startRedis({ persistent: 'aof' })
    const [hasty, patient] = [await serveNode(redis.url, { deadline: 100 }), await serveNode(redis.url)]
    await hasty.reached()
    const streams = [await listen(hasty.url), await listen(patient.url)]
    await patient.emitter.emit('price', price(1))
    await redis.stop()
    const began = performance.now()
    await expect(hasty.emitter.emit('price', price(2))).rejects.toMatchObject(unavailable)
    expect(performance.now() - began).toBeGreaterThan(99)
    await Promise.all(streams.map(beats))

    const waiting = patient.emitter.emit('price', price(3))
    await redis.start()
    await waiting
    await patient.emitter.emit('price', price(4))
    for (const stream of streams) {
      await stream.until(({ events }) => events.length === 3)
      expect([prices(stream), stream.gaps]).toEqual([[1, 3, 4], []])
    }
    expect([hasty, patient].map(({ faults }) => faults)).toMatchObject([[unavailable], [unavailable]])
  })

  test('a client can come and go meanwhile: it resumes from what the node has in memory', async () => {
    const redis = await startRedis({ persistent: 'aof' })
    const { url, emitter } = await serveNode(redis.url)
    const ids = [await emitter.emit('price', price(1)), await emitter.emit('price', price(2))]
    const first = await listen(url, { 'last-event-id': ids[0]! })
    await first.until(({ events }) => events.length === 1)
    await redis.stop()
    const second = await listen(url, { 'last-event-id': ids[0]! })
    await second.until(({ events }) => events.length === 1)
    expect([second.ready.resumed, prices(second), second.gaps]).toEqual([true, [2], []])
  })

  test('emits of many publishers outlast a crash of Redis, and each event is there once and in its order', async () => {
    const redis = await startRedis({ persistent: 'aof' })
    const { url, emitter } = await serveNode(redis.url)
    const stream = await listen(url)
    const half = Promise.withResolvers<void>()
    let done = 0
    const publish = async (publisher: number): Promise<void> => {
      for (let i = 0; i < 50; i++) {
        await emitter.emit('price', price(i, `P${publisher}`))
        if (++done === 500) half.resolve()
      }
    }
    const published = Promise.all(Array.from({ length: 20 }, (_, publisher) => publish(publisher)))
    await half.promise
    await redis.kill()
    await redis.start()
    await published
    await stream.until(({ events }) => events.length >= 1_000)
    await beats(stream)
    expect([stream.events.length, stream.gaps]).toEqual([1_000, []])
    const all = stream.events.map(({ data }) => JSON.parse(data) as { symbol: string; usd: number })
    for (let publisher = 0; publisher < 20; publisher++) {
      const own = all.filter(({ symbol }) => symbol === `P${publisher}`).map(({ usd }) => usd)
      expect(own).toEqual(Array.from({ length: 50 }, (_, i) => i))
    }
  })

  test('an event whose confirmation was lost on the way is there once', async () => {
    const redis = await startRedis()
    const proxy = await startProxy(redis.port)
    const { url, emitter } = await serveNode(proxy.url)
    const stream = await listen(url)
    await emitter.emit('price', price(1))
    const swallowed = proxy.swallowReply('"usd":2')
    const emitted = emitter.emit('price', price(2))
    await swallowed
    const id = await emitted
    await emitter.emit('price', price(3))
    await stream.until(({ events }) => events.length === 3)
    expect([prices(stream), stream.events[1]!.id, stream.gaps]).toEqual([[1, 2, 3], id, []])
  })

  test('an event whose first copy reaches Redis long after it was sent again is there once', async () => {
    const redis = await startRedis()
    const proxy = await startProxy(redis.port)
    const { url, emitter } = await serveNode(proxy.url)
    const stream = await listen(url)
    await emitter.emit('price', price(1))
    const held = proxy.holdCommand('"usd":2')
    await Promise.all([held, emitter.emit('price', price(2))])
    await emitter.emit('price', price(3))
    const deliver = await held
    await deliver()
    await emitter.emit('price', price(4))
    await stream.until(({ events }) => events.at(-1)?.data.includes(':4') === true)
    expect([prices(stream), stream.gaps]).toEqual([[1, 2, 3, 4], []])
  })

  test('while Redis is frozen streams beat on and emit rejects after its deadline; then all goes on, and nothing is there twice', async () => {
    const redis = await startRedis()
    const [hasty, patient] = [await serveNode(redis.url, { deadline: 100 }), await serveNode(redis.url)]
    await hasty.reached()
    const stream = await listen(hasty.url)
    await patient.emitter.emit('price', price(1))
    redis.pause()
    await expect(hasty.emitter.emit('price', price(2))).rejects.toMatchObject({ code: 'log-unavailable' })
    const waiting = patient.emitter.emit('price', price(3))
    await beats(stream)
    redis.resume()
    await waiting
    await patient.emitter.emit('price', price(4))
    await stream.until(({ events }) => events.at(-1)?.data.includes(':4') === true)
    // The one that was rejected may have arrived all the same, and then once.
    expect([prices(stream).filter((usd) => usd !== 2), stream.gaps]).toEqual([[1, 3, 4], []])
    expect(prices(stream).filter((usd) => usd === 2).length).toBeLessThan(2)
  })

  test('a connection to Redis that goes dead without a word is made anew, and nothing is lost or there twice', async () => {
    const redis = await startRedis()
    const proxy = await startProxy(redis.port)
    const { url, emitter, reached } = await serveNode(proxy.url, { deadline: 100 })
    const other = await serveNode(redis.url)
    await reached()
    const stream = await listen(url)
    await other.emitter.emit('price', price(1))
    await stream.until(({ events }) => events.length === 1)
    proxy.deafen()
    await other.emitter.emit('price', price(2))
    let last = 3
    while (!(await emitter.emit('price', price(last)).catch(() => undefined))) last++
    await stream.until((it) => prices(it).includes(last))
    const heard = prices(stream)
    expect([heard.slice(0, 2), heard, stream.gaps]).toEqual([[1, 2], [...new Set(heard)].toSorted((a, b) => a - b), []])
  })
})
