import { createClient } from 'redis'
import { describe, expect, onTestFinished, test as plain } from 'vitest'
import { redisLog } from 'eventwire/redis'
import { memoryLog, type Log } from 'eventwire/server'
import { serveEmitter } from '../support/emitter.ts'
import { listen, type Listening } from '../support/listen.ts'
import { price } from '../support/market.ts'
import { missingRedis, startRedis } from '../support/redis.ts'
import { serveNode } from '../support/redis-emitter.ts'
import type { RedisServer } from '../support/redis-server.ts'

const test = plain.skipIf(missingRedis)
const EVENTS = 'eventwire:{eventwire}:events'
const LOG = 'eventwire:{eventwire}:log'

const prices = ({ events }: Listening): number[] => events.filter(({ event }) => event === 'price').map(({ data }) => JSON.parse(data).usd)
const heard = (usd: number) => (stream: Listening) => prices(stream).includes(usd)

/** How many commands of a kind Redis has carried out. */
async function calls(redis: RedisServer, command: string): Promise<number> {
  const info = String(await redis.command('INFO', 'commandstats'))
  return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(info)?.[1] ?? 0)
}

describe('a Redis that takes connections and says nothing', () => {
  test('is reached once it answers, also when that was the first thing that a node asked', async () => {
    const redis = await startRedis()
    redis.pause()
    const { url, emitter } = await serveNode(redis.url, { deadline: 300 })
    // Longer than a connection may be silent.
    for (let i = 0; i < 8; i++) await expect(emitter.emit('price', price(i))).rejects.toMatchObject({ code: 'log-unavailable' })
    redis.resume()
    await expect.poll(async () => (await fetch(url)).status, { timeout: 10_000 }).toBe(200)
    await emitter.emit('price', price(9))
  })
})

test('an emitter that is closed leaves no connection behind, however soon', async () => {
  const redis = await startRedis()
  for (let i = 0; i < 3; i++) {
    const { emitter } = await serveNode(redis.url)
    await emitter.emit('price', price(i))
    await emitter.close()
  }
  const open = async (): Promise<number> =>
    String(await redis.command('CLIENT', 'LIST'))
      .trim()
      .split('\n').length
  // That which asks.
  await expect.poll(open, { timeout: 10_000 }).toBe(1)
})

test('what was rejected before it was ever sent is not heard later, whatever waits with it', async () => {
  const redis = await startRedis({ persistent: 'aof' })
  const { url, emitter } = await serveNode(redis.url, { deadline: 1_000 })
  const stream = await listen(url)
  await emitter.emit('price', price(0))
  await redis.stop()
  const beat = async (): Promise<void> => {
    const { length } = stream.text
    await stream.until(({ text }) => text.length > length)
  }
  const refused = [1, 2].map(async (usd) => {
    if (usd > 1) await beat()
    await expect(emitter.emit('price', price(usd))).rejects.toMatchObject({ code: 'log-unavailable' })
  })
  for (let i = 0; i < 25; i++) await beat()
  const waiting = emitter.emit('price', price(3))
  await Promise.all(refused)
  await redis.start()
  await waiting
  await stream.until(heard(3))
  expect([prices(stream), stream.gaps]).toEqual([[0, 3], []])
})

test('a client that gives up to connect again is replaced by another', async () => {
  const redis = await startRedis({ persistent: 'aof' })
  const client = createClient({ url: redis.url, socket: { reconnectStrategy: (retries) => (retries > 2 ? new Error('enough') : 10) } })
  client.on('error', () => {})
  const { url, emitter } = await serveEmitter({ log: redisLog({ client, deadline: '20s' }), onError: () => {} })
  const hasty = await serveEmitter({ log: redisLog({ client, deadline: 500 }), onError: () => {} })
  const stream = await listen(url)
  await hasty.emitter.emit('price', price(1))
  await redis.stop()
  const waiting = emitter.emit('price', price(2))
  // By then its like have given up.
  await expect(hasty.emitter.emit('price', price(0))).rejects.toMatchObject({ code: 'log-unavailable' })
  await redis.start()
  await waiting
  await stream.until(heard(2))
  expect([prices(stream), stream.gaps]).toEqual([[1, 2], []])
})

test('a node that starts where the newest events were deleted by hand goes on behind them, and its clients hear a gap', async () => {
  const redis = await startRedis()
  const one = await serveNode(redis.url)
  const ids: string[] = []
  for (const usd of [1, 2, 3]) ids.push(await one.emitter.emit('price', price(usd)))
  await redis.command('XDEL', EVENTS, '3-0')
  const two = await serveNode(redis.url)
  await two.reached()
  const reads = await calls(redis, 'xread')
  const stream = await listen(two.url, { 'last-event-id': ids[1]! })
  await one.emitter.emit('price', price(4))
  await stream.until(heard(4))
  expect([prices(stream), stream.gaps.length]).toEqual([[4], 1])
  expect((await calls(redis, 'xread')) - reads).toBeLessThan(300)
})

test.each([
  ['of another epoch', 'other.x.1.0', 'price'],
  ['that could not be sent', undefined, 'a\nb'],
])('an entry %s that others have written costs neither the process nor the processor, and is a gap', async (_what, mark, event) => {
  const redis = await startRedis()
  const one = await serveNode(redis.url, { history: { events: 5 } })
  const stream = await listen(one.url)
  const first = await one.emitter.emit('price', price(1))
  await stream.until(heard(1))
  const epoch = first.split('-')[0]!
  await redis.command('XADD', EVENTS, '2-0', 'w', mark ?? `${epoch}.x.1.0`, 'e', event, 'd', '1')
  await redis.command('HSET', LOG, 'seq', '2', 'mark', mark ?? `${epoch}.x.1.0`)
  await stream.until(({ gaps }) => gaps.length > 0)
  const reads = await calls(redis, 'xread')
  for (let usd = 3; usd < 20; usd++) await one.emitter.emit('price', price(usd))
  await stream.until(heard(19))
  expect(prices(stream)).toEqual([1, ...Array.from({ length: 17 }, (_, i) => i + 3)])
  // A node that has never seen the entry reads past it for a client.
  const two = await serveNode(redis.url, { history: { events: 5 } })
  const late = await listen(two.url, { 'last-event-id': first })
  await late.until(heard(19))
  expect([prices(late).at(0), late.gaps.length]).toEqual([3, 1])
  expect((await calls(redis, 'xread')) - reads).toBeLessThan(300)
})

test('events of another branch are not taken for those that follow: everyone hears a gap', async () => {
  const redis = await startRedis()
  const one = await serveNode(redis.url)
  const stream = await listen(one.url)
  let epoch = ''
  for (let usd = 1; usd <= 10; usd++) epoch = (await one.emitter.emit('price', price(usd))).split('-')[0]!
  await stream.until(heard(10))
  // What a server has that knew no more than seven of them, and takes over without a cut: the same place in the log has other events.
  const client = createClient({ url: redis.url })
  onTestFinished(() => client.destroy())
  await client.connect()
  const entries = (await client.sendCommand(['XRANGE', EVENTS, '-', '7-0'])) as unknown as [string, string[]][]
  const swap = client.multi().addCommand(['DEL', EVENTS])
  for (const [id, fields] of entries) swap.addCommand(['XADD', EVENTS, id, ...fields])
  for (let seq = 8; seq <= 12; seq++) {
    const mark = `${epoch}.other.${seq}.0`
    const before = seq === 8 ? entries.at(-1)![1][1]! : `${epoch}.other.${seq - 1}.0`
    const data = JSON.stringify(price(100 + seq))
    swap.addCommand(['XADD', EVENTS, `${seq}-0`, 'w', mark, 'p', before, 'e', 'price', 'd', data])
  }
  swap.addCommand(['HSET', LOG, 'seq', '12', 'mark', `${epoch}.other.12.0`])
  await swap.exec()
  await stream.until(({ gaps }) => gaps.length > 0)
  await one.emitter.emit('price', price(200))
  await stream.until(heard(200))
  expect(stream.gaps).toMatchObject([{ reason: 'epoch' }])
  expect(prices(stream)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 200])
})

test('many clients who have missed much at once do not hold up what is emitted, and each hears all of it', async () => {
  const redis = await startRedis()
  const { url, emitter } = await serveNode(redis.url, { history: { events: 10 } })
  const [first] = await Promise.all(Array.from({ length: 3_000 }, (_, i) => emitter.emit('price', price(i + 1))))
  const reads = await calls(redis, 'xrange')
  const streams = await Promise.all(Array.from({ length: 50 }, () => listen(url, { 'last-event-id': first! })))
  await emitter.emit('price', price(3_001))
  for (const stream of streams) {
    await stream.until(heard(3_001))
    expect([stream.gaps, prices(stream).length, prices(stream).at(0)]).toEqual([[], 3_000, 2])
  }
  // They go the same way, so what one has read serves the others.
  expect((await calls(redis, 'xrange')) - reads).toBeLessThan(1_000)
})

test('a page from Redis is small, also where events were larger than they are now', async () => {
  const redis = await startRedis()
  const { emitter, log } = await serveNode(redis.url, { history: { events: 10 } })
  for (let i = 0; i < 40; i++) await emitter.emit('message', 'x'.repeat(30_000))
  for (let i = 0; i < 20; i++) await emitter.emit('message', 'x')
  await log.sync()
  const page = await log.fetch(0, '*')
  expect(page!.bytes.byteLength).toBeLessThan(100_000)
})

test('a Redis that is late costs those who wait for it, and not the connection', async () => {
  const redis = await startRedis()
  const { emitter, reached } = await serveNode(redis.url, { deadline: 100 })
  await reached()
  await emitter.emit('price', price(1))
  const connections = async (): Promise<number> =>
    Number(/total_connections_received:(\d+)/.exec(String(await redis.command('INFO', 'stats')))![1])
  const before = await connections()
  redis.pause()
  await expect(emitter.emit('price', price(2))).rejects.toMatchObject({ code: 'log-unavailable' })
  redis.resume()
  await expect.poll(() => emitter.emit('price', price(3)).then(Boolean, () => false), { timeout: 10_000 }).toBe(true)
  // That which asks.
  expect((await connections()) - before).toBe(1)
})

test('many who ask at once where the log stands cost Redis no more than a few commands', async () => {
  const redis = await startRedis()
  const { log, reached } = await serveNode(redis.url)
  await reached()
  const before = await calls(redis, 'evalsha')
  await Promise.all(Array.from({ length: 500 }, () => log.sync()))
  expect((await calls(redis, 'evalsha')) - before).toBeLessThan(10)
})

plain('a log of its own whose fetch fails costs a client its stream, and nobody else anything', async () => {
  const memory = memoryLog()
  for (let i = 0; i < 5; i++) memory.append({ event: 'price', data: '{}', topic: undefined })
  const log: Log = {
    epoch: memory.epoch,
    head: 5,
    oldest: 1,
    held: 6,
    bytes: 0,
    append: (record) => memory.append(record),
    count: (after, topics) => memory.count(after, topics),
    read: (range, topics) => memory.read(range, topics),
    pick: (seqs, bytes) => memory.pick(seqs, bytes),
    listen: (listener) => memory.listen(listener),
    fetch: () => Promise.reject(new Error('no')),
  }
  const { url } = await serveEmitter({ log })
  const stream = await listen(url, { 'last-event-id': `${memory.epoch}-1` })
  await stream.ended
  expect((await fetch(url)).status).toBe(200)
})
