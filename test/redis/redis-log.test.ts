import { createClient } from 'redis'
import { expect, onTestFinished, test as plain } from 'vitest'
import { redisLog, type RedisLogOptions } from 'eventwire/redis'
import { createEmitter, type EmitterOptions } from 'eventwire/server'
import { listen, type Listening } from '../support/listen.ts'
import { market, price, type Market } from '../support/market.ts'
import { missingRedis, startCluster, startRedis } from '../support/redis.ts'
import { serve } from '../support/serve.ts'

const test = plain.skipIf(missingRedis)

/** A node: an emitter on a log in Redis, behind a server. `?topic=` names a topic. */
async function startNode(log: RedisLogOptions, options: EmitterOptions<Market> = {}) {
  const emitter = createEmitter(market, { log: redisLog(log), onError: () => {}, ...options })
  onTestFinished(() => emitter.close())
  const { url } = await serve((request, response) => {
    const topics = new URL(request.url ?? '', 'http://node').searchParams.getAll('topic')
    emitter.handleNode(request, response, { topics })
  })
  return { emitter, url }
}

const heard = ({ events }: Listening): number[] => events.map(({ data }) => (JSON.parse(data) as { usd: number }).usd)
const numbers = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)
const heardUpTo = (usd: number) => (stream: Listening) => heard(stream).at(-1) === usd
const resume = (url: string, id: string): Promise<Listening> => listen(url, { 'last-event-id': id })

test('what one node emits is heard on another, in one order, with the same ids', async () => {
  const { url } = await startRedis()
  const [one, two] = [await startNode({ url }), await startNode({ url })]
  const streams = [await listen(one.url), await listen(two.url)]
  const emitted = numbers(1, 100).map((usd) => (usd % 2 ? one : two).emitter.emit('price', price(usd)))
  const ids = await Promise.all(emitted)
  for (const stream of streams) await stream.until(({ events }) => events.length === 100)
  const [first, second] = streams.map(({ events }) => events.map(({ id, data }) => [id, data]))
  expect(first).toEqual(second)
  expect(first!.map(([id]) => id)).toEqual(ids.toSorted((a, b) => Number(a.split('-')[1]) - Number(b.split('-')[1])))
  // Of each node, in the order in which it emitted.
  const odd = heard(streams[0]!).filter((usd) => usd % 2)
  expect(odd).toEqual(odd.toSorted((a, b) => a - b))
})

test('a client goes on where it was on another node', async () => {
  const { url } = await startRedis()
  const [one, two] = [await startNode({ url }), await startNode({ url })]
  const ids = await Promise.all(numbers(1, 10).map((usd) => one.emitter.emit('price', price(usd))))
  const stream = await resume(two.url, ids[3]!)
  await stream.until(heardUpTo(10))
  expect(stream.ready).toMatchObject({ resumed: true, replayed: 6 })
  expect(heard(stream)).toEqual(numbers(5, 10))
})

test('a client that comes to a node ahead of what that has heard goes on where it was', async () => {
  const { url } = await startRedis()
  const one = await startNode({ url })
  for (let round = 0; round < 20; round++) {
    const two = await startNode({ url })
    const id = await one.emitter.emit('price', price(round))
    const stream = await resume(two.url, id)
    await one.emitter.emit('price', price(round + 0.5))
    await stream.until(({ events }) => events.length > 0)
    expect([stream.gaps, heard(stream)]).toEqual([[], [round + 0.5]])
  }
})

test('what a node has no longer in memory comes from Redis, event by event, and then what is new', async () => {
  const { url } = await startRedis()
  const { emitter, url: node } = await startNode({ url, history: { events: 50 } })
  const ids = await Promise.all(numbers(1, 2_000).map((usd) => emitter.emit('price', price(usd))))
  const stream = await resume(node, ids[4]!)
  const more = Promise.all(numbers(2_001, 2_300).map((usd) => emitter.emit('price', price(usd))))
  await stream.until(heardUpTo(2_300))
  await more
  expect(stream.gaps).toEqual([])
  expect(heard(stream)).toEqual(numbers(6, 2_300))
  expect(stream.events.slice(0, 3).map(({ id }) => id)).toEqual(ids.slice(5, 8))
})

test('of what comes from Redis, a connection is sent its own topics alone', async () => {
  const { url } = await startRedis()
  const { emitter, url: node } = await startNode({ url, history: { events: 10 } })
  const first = await emitter.emit('price', price(0))
  const topics = ['a', 'b', undefined]
  for (const usd of numbers(1, 900))
    void emitter.emit('price', price(usd), topics[usd % 3] === undefined ? undefined : { topic: topics[usd % 3]! })
  await emitter.emit('price', price(901))
  const stream = await resume(`${node}?topic=b`, first)
  await stream.until(heardUpTo(901))
  expect(heard(stream)).toEqual(numbers(1, 901).filter((usd) => usd % 3 !== 0 || usd === 901))
})

test('a new client hears first what Redis keeps, also what the node has no longer in memory', async () => {
  const { url } = await startRedis()
  const { emitter, url: node } = await startNode({ url, history: { events: 10 } }, { start: 'oldest' })
  await Promise.all(numbers(1, 300).map((usd) => emitter.emit('price', price(usd))))
  const stream = await listen(node)
  await emitter.emit('price', price(301))
  await stream.until(heardUpTo(301))
  expect([heard(stream), stream.gaps]).toEqual([numbers(1, 301), []])
})

test.each(['gap', 'disconnect'] as const)('of what Redis drops meanwhile a new client is told nothing: %s', async (slowConsumer) => {
  const { url } = await startRedis()
  const { emitter, url: node } = await startNode(
    { url, history: { events: 10 }, retention: { events: 100 } },
    { start: 'oldest', slowConsumer },
  )
  for (const round of [1, 2, 3]) {
    // A node asks Redis now and then only how far back it goes.
    for (const usd of numbers(round * 1_000, round * 1_000 + 300)) await emitter.emit('price', price(usd))
    const stream = await listen(node)
    await stream.until(heardUpTo(round * 1_000 + 300))
    const [first = 0] = heard(stream)
    expect([stream.gaps, heard(stream)]).toEqual([[], numbers(first, round * 1_000 + 300)])
    expect(heard(stream).length).toBeGreaterThanOrEqual(100)
  }
})

test('a node that starts later knows what was emitted before', async () => {
  const { url } = await startRedis()
  const one = await startNode({ url })
  const ids = await Promise.all(numbers(1, 500).map((usd) => one.emitter.emit('price', price(usd))))
  const two = await startNode({ url, history: { events: 100 } })
  const stream = await resume(two.url, ids[0]!)
  const fresh = await listen(two.url)
  await one.emitter.emit('price', price(501))
  for (const it of [stream, fresh]) await it.until(heardUpTo(501))
  expect(heard(stream)).toEqual(numbers(2, 501))
  expect(heard(fresh)).toEqual([501])
})

test('what Redis has dropped is declared lost', async () => {
  const { url } = await startRedis()
  const { emitter, url: node } = await startNode({ url, history: { events: 10 }, retention: { events: 100 } })
  const watcher = await listen(node)
  const ids: string[] = []
  // No faster than the node hears it: else what it has yet to hear would be dropped too.
  for (const usd of numbers(1, 2_000)) {
    ids.push(await emitter.emit('price', price(usd)))
    if (usd % 50 === 0) await watcher.until(heardUpTo(usd))
  }
  const late = await startNode({ url, history: { events: 10 }, retention: { events: 100 } })
  for (const address of [node, late.url]) {
    const stream = await resume(address, ids[0]!)
    await stream.until(heardUpTo(2_000))
    const [gap, ...others] = stream.gaps
    expect(others).toEqual([])
    expect(gap).toMatchObject({ requested: ids[0], oldest: stream.events[0]!.id })
    expect(heard(stream)).toEqual(numbers(heard(stream)[0]!, 2_000))
    expect(heard(stream).length).toBeGreaterThanOrEqual(100)
  }
})

test('after FLUSHALL in mid-stream everyone hears a gap, and the stream goes on', async () => {
  const { url, command } = await startRedis()
  const nodes = [await startNode({ url }), await startNode({ url })]
  const streams = [await listen(nodes[0]!.url), await listen(nodes[1]!.url)]
  for (const usd of numbers(1, 50)) await nodes[usd % 2]!.emitter.emit('price', price(usd))
  for (const stream of streams) await stream.until(heardUpTo(50))
  await command('FLUSHALL')
  // More than there were before, so that the numbers alone would pass for those that follow.
  for (const usd of numbers(51, 150)) await nodes[usd % 2]!.emitter.emit('price', price(usd))
  for (const stream of streams) {
    await stream.until(heardUpTo(150))
    expect(stream.gaps).toMatchObject([{ reason: 'epoch' }])
    expect(heard(stream)).toEqual(numbers(1, 150))
  }
})

test('an application may give a client of its own, which is left alone', async () => {
  const { url } = await startRedis()
  const client = createClient({ url, RESP: 2 })
  onTestFinished(() => client.destroy())
  await client.connect()
  const node = await startNode({ client, key: 'mine' })
  const stream = await listen(node.url)
  const id = await node.emitter.emit('price', price(1))
  await stream.until(heardUpTo(1))
  await node.emitter.close()
  expect(await client.keys('*')).toContain('eventwire:{mine}:events')
  expect(id).toMatch(/^[0-9a-z]{14}-1$/)
  expect(client.isReady).toBe(true)
})

test('logs of different keys do not meet', async () => {
  const { url } = await startRedis()
  const [one, two] = [await startNode({ url, key: 'one' }), await startNode({ url, key: 'two' })]
  const stream = await listen(one.url)
  await two.emitter.emit('price', price(2))
  await one.emitter.emit('price', price(1))
  await stream.until(heardUpTo(1))
  expect(heard(stream)).toEqual([1])
})

test('a log lives in a Redis Cluster, with all its keys in one place', async () => {
  const cluster = await startCluster()
  const { createCluster } = await import('redis')
  const client = createCluster({ rootNodes: cluster.urls.map((url) => ({ url })) })
  client.on('error', () => {})
  const [one, two] = [await startNode({ client, key: 'one' }), await startNode({ client, key: 'one' })]
  const stream = await listen(two.url)
  const ids = await Promise.all(numbers(1, 300).map((usd) => one.emitter.emit('price', price(usd))))
  await stream.until(heardUpTo(300))
  expect(stream.events.map(({ id }) => id)).toEqual(ids)
})

test('what cannot be sent is refused before it takes a number', async () => {
  const { url } = await startRedis()
  const { emitter, url: node } = await startNode({ url })
  const stream = await listen(node)
  await expect(emitter.emit('message', 'half \ud800')).rejects.toMatchObject({ code: 'invalid-message' })
  await expect(emitter.emit('message', 'whole', { topic: '\udc00' })).rejects.toMatchObject({ code: 'invalid-message' })
  const id = await emitter.emit('message', 'two\nlines, 💶')
  await stream.until(({ events }) => events.length === 1)
  expect(stream.events).toEqual([{ event: 'message', data: 'two\nlines, 💶', id }])
  expect(id.split('-')[1]).toBe('1')
})

plain.each([
  [{}, 'either a url or a client'],
  [{ url: 'http://127.0.0.1' }, 'url is none of Redis'],
  [{ url: 'redis://:secret@' }, 'url is none of Redis'],
  [{ url: 'redis://:sec%ret@127.0.0.1' }, 'url is none of Redis'],
  [{ url: 'redis://127.0.0.1/market' }, 'url is none of Redis'],
  [{ url: 'redis://localhost', key: 'a{b}' }, 'without braces'],
  [{ url: 'redis://localhost', key: '' }, '1 to 256 characters'],
  [{ url: 'redis://localhost', retention: { events: 0 } }, 'retention.events is 0'],
  [{ url: 'redis://localhost', retention: { evnts: 1 } as never }, 'retention has no "evnts"'],
  [{ url: 'redis://localhost', deadline: 'soon' as never }, 'deadline is "soon"'],
  [{ url: 'redis://localhost', history: { events: -1 } }, 'history.events is -1'],
  [{ client: {} as never }, 'client is none of the package redis'],
] satisfies [RedisLogOptions, string][])('options that make no sense are refused: %j', (options, message) => {
  let refusal: unknown
  try {
    redisLog(options)
  } catch (error) {
    refusal = error
  }
  expect(refusal).toMatchObject({ code: 'invalid-option', message: expect.stringContaining(message) as string })
  expect(String(refusal)).not.toContain('secret')
})
