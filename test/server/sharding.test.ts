import { describe, expect, onTestFinished, test } from 'vitest'
import { createEmitter, memoryLog, type EmitterOptions, type MemoryLog, type OutgoingEvent, type ShardedLog } from 'eventwire/server'
import { caught } from '../support/caught.ts'
import { serveEmitter, type ServedEmitter } from '../support/emitter.ts'
import { listen, type Listening } from '../support/listen.ts'
import { market, price, type Market } from '../support/market.ts'
import { dial } from '../support/raw.ts'
import { seeded } from '../support/random.ts'
import { sharded, SHARD_OF } from '../support/shards.ts'
import { collector, subscribe } from '../support/subscribe.ts'

interface Sharded extends ServedEmitter {
  readonly logs: readonly MemoryLog[]
  /** Emits prices, one after the other, each with a topic or none. */
  emit(...prices: readonly [usd: number, topic?: string][]): Promise<string[]>
}

/** B is in shard 1, C and D are in shard 2, all else is in shard 0. */
async function serveShards(options: EmitterOptions<Market> = {}): Promise<Sharded> {
  const logs = [memoryLog(), memoryLog(), memoryLog()]
  const served = await serveEmitter({ heartbeat: 20, ...options, log: sharded(logs) })
  const emit = async (...prices: readonly [number, string?][]): Promise<string[]> => {
    const ids: string[] = []
    for (const [usd, topic] of prices) ids.push(await served.emitter.emit('price', price(usd), topic === undefined ? undefined : { topic }))
    return ids
  }
  return { ...served, logs, emit }
}

const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b)
const prices = ({ events }: Listening): number[] => events.filter(({ event }) => event === 'price').map(({ data }) => JSON.parse(data).usd)
const heard = (usd: number) => (stream: Listening) => prices(stream).includes(usd)
const ids = ({ text }: Listening): string[] => Array.from(text.matchAll(/^id: (.*)$/gm), ([, id]) => id!)
const at = ({ epoch }: MemoryLog, seq: number): string => `${epoch}-${seq}`

describe('a connection whose topics lie in one shard', () => {
  test('is what it is without shards', async () => {
    const { url, emit, logs } = await serveShards({ heartbeat: 60_000 })
    const stream = await listen(`${url}?topic=A`)
    await emit([1, 'A'], [2, 'B'], [3])
    await stream.until(heard(3))
    expect([prices(stream), ids(stream)]).toEqual([[1, 3], [0, 1, 2].map((seq) => at(logs[0]!, seq))])
    const again = await listen(`${url}?topic=A`, { 'last-event-id': ids(stream)[1]! })
    await again.until(heard(3))
    expect([prices(again), again.ready.resumed, again.gaps]).toEqual([[3], true, []])
  })

  test('takes its part of the cursor that it had with more topics', async () => {
    const { url, emit, logs } = await serveShards()
    await emit([1, 'A'], [2, 'A'])
    const stream = await listen(`${url}?topic=A`, { 'last-event-id': `0.${at(logs[0]!, 1)}_2.${at(logs[2]!, 0)}` })
    await stream.until(heard(2))
    expect([prices(stream), stream.ready.resumed, stream.gaps]).toEqual([[2], true, []])
  })
})

describe.each([false, true])('a connection whose topics lie in several shards, with detach: %s', (detach) => {
  test('has a place in each of them in every cursor', async () => {
    const { url, emit, logs } = await serveShards({ heartbeat: 60_000, detach })
    const [zero, one, two] = logs as [MemoryLog, MemoryLog, MemoryLog]
    const stream = await listen(`${url}?topic=A&topic=C&topic=D`)
    for (const event of [[1, 'A'], [2, 'C'], [3, 'B'], [4], [5, 'D']] as const) await emit([...event])
    await stream.until(heard(5))
    expect(sorted(prices(stream))).toEqual([1, 2, 4, 5])
    expect(ids(stream)[0]).toBe(`0.${at(zero, 0)}_2.${at(two, 0)}`)
    expect(ids(stream).at(-1)).toBe(`0.${at(zero, 2)}_2.${at(two, 2)}`)
    expect(ids(stream).join()).not.toContain(one.epoch)
    expect(stream.text.match(/\$ready/g)).toHaveLength(1)
    expect(stream.ready).toMatchObject({ epoch: zero.epoch, resumed: false, replayed: 0 })
  })

  test('resumes from any of its cursors: nothing is repeated or left out', async () => {
    const { url, emit } = await serveShards({ detach })
    const stream = await listen(`${url}?topic=*`)
    await emit([1, 'A'], [2, 'B'], [3, 'C'], [4], [5, 'B'], [6, 'D'], [7, 'A'], [8, 'C'])
    await stream.until(({ events }) => events.length === 8)
    const all = prices(stream)
    for (const [i, { id }] of stream.events.entries()) {
      const again = await listen(`${url}?topic=*`, { 'last-event-id': id })
      await again.until(({ events }) => events.length === 7 - i)
      await again.until(({ cursor }) => cursor === stream.cursor)
      expect([again.ready.resumed, again.ready.replayed, again.gaps]).toEqual([true, 7 - i, []])
      expect(sorted([...all.slice(0, i + 1), ...prices(again)])).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
      again.leave()
    }
  })

  test('shares its bytes with those that are in step and have the same topics', async () => {
    const { url, emit } = await serveShards({ heartbeat: 60_000, detach })
    const first = await listen(`${url}?topic=B&topic=C`)
    // They open at other places, and are in step all the same.
    await emit([1, 'B'], [2, 'C'], [3, 'A'])
    const second = await listen(`${url}?topic=C&topic=B`)
    await second.until(({ text }) => text.includes('id: '))
    await emit([4, 'B'], [5, 'C'], [6])
    for (const stream of [first, second])
      await stream.until(({ events }) => [4, 5, 6].every((usd) => prices({ events } as Listening).includes(usd)))
    const since = ({ text }: Listening): string => text.slice(text.search(/id: .*\nevent: price\ndata: .*"usd":[456]\}/))
    expect(since(second)).toBe(since(first))
  })

  test('is told of the loss of one shard alone', async () => {
    const { url, emit, logs } = await serveShards({ detach })
    const [zero, one, two] = logs as [MemoryLog, MemoryLog, MemoryLog]
    const stream = await listen(`${url}?topic=*`)
    await emit([1, 'A'], [2, 'B'], [3, 'C'])
    await stream.until(({ events }) => events.length === 3)
    const left = await listen(`${url}?topic=*`, { 'last-event-id': `0.${at(zero, 0)}_1.${at(one, 1)}_2.${at(two, 0)}` })
    await left.until(({ events }) => events.length === 2)
    left.leave()
    const before = `0.${at(zero, 1)}_1.${at(one, 1)}_2.${at(two, 1)}`
    one.clear()
    await emit([4, 'A'], [5, 'B'], [6, 'C'])
    await stream.until(({ events }) => events.length === 6)
    expect([stream.gaps, sorted(prices(stream))]).toEqual([[{ reason: 'epoch', requested: before, oldest: '' }], [1, 2, 3, 4, 5, 6]])

    const late = await listen(`${url}?topic=*`, { 'last-event-id': before })
    await late.until(({ events }) => events.length === 3)
    const oldest = `0.${at(zero, 1)}_1.${at(one, 1)}_2.${at(two, 1)}`
    expect([late.gaps, late.ready.resumed, sorted(prices(late))]).toEqual([
      [{ reason: 'epoch', requested: before, oldest }],
      false,
      [4, 5, 6],
    ])
  })

  test('hears one gap of each reason when it comes back to other logs, and the oldest that there is', async () => {
    const { url, emit, logs } = await serveShards({ detach })
    await emit([1, 'A'], [2, 'B'], [3, 'C'])
    const stream = await listen(`${url}?topic=*`, { 'last-event-id': '0.abc-7_1.def-8_2.ghi-9' })
    await stream.until(({ events }) => events.length === 3)
    const oldest = logs.map((log, shard) => `${shard}.${at(log, 1)}`).join('_')
    expect(stream.gaps).toEqual([{ reason: 'epoch', requested: '0.abc-7_1.def-8_2.ghi-9', oldest }])
  })

  test('begins where it has not listened before, without a gap, and not as resumed', async () => {
    const { url, emit, logs } = await serveShards({ detach })
    await emit([1, 'A'], [2, 'B'], [3, 'C'])
    const stream = await listen(`${url}?topic=A&topic=B&topic=C`, { 'last-event-id': `0.${at(logs[0]!, 0)}_1.${at(logs[1]!, 0)}` })
    await emit([4, 'C'])
    await stream.until(({ events }) => events.length === 3)
    expect([sorted(prices(stream)), stream.ready.resumed, stream.gaps]).toEqual([[1, 2, 4], false, []])
  })

  test('hears a gap when it comes with the id of an event, which says nothing of the other shards', async () => {
    const { url, emit } = await serveShards({ detach })
    const [first] = await emit([1, 'C'], [2, 'C'], [3])
    const stream = await listen(`${url}?topic=C`, { 'last-event-id': first! })
    await emit([4])
    await stream.until(({ events }) => events.length === 2)
    expect([sorted(prices(stream)), stream.gaps]).toEqual([[2, 4], [{ reason: 'malformed', requested: first, oldest: '' }]])
  })

  test('is sent what is for it alone after what was emitted before, and ends as a whole', async () => {
    const gone: string[] = []
    const { url, emitter, connections, connected } = await serveShards({ detach, onDisconnect: () => void gone.push('gone') })
    const stream = await listen(`${url}?topic=B&topic=C`)
    await connected(1)
    const [connection] = connections
    expect([connection!.topics, connection!.signal.aborted, emitter.stats().connections]).toEqual([['B', 'C'], false, 1])
    void emitter.emit('price', price(1), { topic: 'B' })
    void emitter.emit('price', price(2), { topic: 'C' })
    expect(await connection!.send('price', price(3))).toBe(true)
    void emitter.emit('price', price(4), { topic: 'C' })
    connection!.close()
    await stream.ended
    expect(prices(stream)).toEqual([1, 2, 3, 4])
    await connected(0)
    expect([connection!.signal.aborted, await connection!.send('price', price(5)), gone]).toEqual([true, false, ['gone']])
  })
})

test('clients that are cut at random hear every event of their topics once, each shard in order', async () => {
  const { url, emitter, cut } = await serveShards({ heartbeat: 60_000, retry: 0 })
  const random = seeded(11)
  const topics = [undefined, 'A', 'B', 'C', 'D']
  const clients = [['A'], ['B'], ['A', 'C'], ['C', 'D'], ['B', 'D'], ['*']].map((own) => {
    const { stream, gaps, statuses, status } = subscribe(`${url}?${own.map((topic) => `topic=${topic}`).join('&')}`)
    const told = collector<number>()
    stream.on('price', ({ usd }) => told.take(usd))
    return { own, told, gaps, statuses, status }
  })
  await Promise.all(clients.map(({ status }) => status((it) => it.state === 'open' && it.resumed !== undefined)))
  const published: (string | undefined)[] = []
  for (let usd = 0; usd < 4_000; usd++) {
    const topic = topics[Math.floor(random() * topics.length)]
    published.push(topic)
    void emitter.emit('price', price(usd), topic === undefined ? undefined : { topic })
    if (random() < 0.4) await new Promise((resolve) => setTimeout(resolve, 4 * random()))
    if (random() < 0.01) cut()
  }
  for (const { own, told, gaps, statuses } of clients) {
    const due = [...published.keys()].filter((usd) => published[usd] === undefined || own.includes('*') || own.includes(published[usd]))
    await told.reach(due.length)
    for (const shard of [0, 1, 2]) {
      const inShard = (usd: number): boolean => SHARD_OF(published[usd]) === shard
      expect(told.items.filter(inShard)).toEqual(due.filter(inShard))
    }
    expect([told.items.length, gaps]).toEqual([due.length, []])
    expect(statuses.filter((it) => it.state === 'open' && it.resumed).length).toBeGreaterThan(3)
  }
})

test('a request is refused whose cursor would be too long, and told how many shards would do', async () => {
  const logs = Array.from({ length: 16 }, () => memoryLog())
  const log: ShardedLog = { shards: logs, shardOf: (topic) => Number(topic ?? 0) }
  const { url } = await serveEmitter({ log })
  const seven = await listen(`${url}?${[1, 2, 3, 4, 5, 6].map((topic) => `topic=${topic}`).join('&')}`)
  await seven.until(({ text }) => text.includes('id: '))
  const refused = await fetch(`${url}?topic=*`)
  expect([refused.status, await refused.text()]).toEqual([
    400,
    'These topics lie in 16 shards, and a cursor of 256 bytes holds 7. Listen to fewer topics, or have fewer shards, or a larger ' +
      'limits.cursorBytes; clients refuse ids of more than 1 KiB by default.',
  ])
  const roomy = await serveEmitter({
    log: { ...log, shards: logs.map(() => memoryLog()) },
    limits: { cursorBytes: 1_024 },
  })
  const all = await listen(`${roomy.url}?topic=*`)
  await all.until(({ text }) => text.includes('id: '))
  expect([all.response.status, all.cursor.split('_')]).toEqual([200, expect.objectContaining({ length: 16 })])
})

test('stats counts a stream once, and adds up what the shards hold', async () => {
  const { url, emitter, emit, logs } = await serveShards()
  await listen(`${url}?topic=B&topic=C`)
  await listen(`${url}?topic=B`)
  await listen(`${url}?topic=*`)
  await listen(url)
  await emit([1, 'A'], [2, 'B'], [3, 'B'], [4, 'C'])
  const { head } = emitter.stats().log
  expect(emitter.stats()).toMatchObject({
    connections: 4,
    topics: { B: 2, C: 1 },
    everyTopic: 1,
    log: { events: 4, bytes: logs.reduce((sum, { bytes }) => sum + bytes, 0), evictions: 0 },
    lag: 0,
    emits: 4,
    replays: 0,
  })
  await emit([5, 'B'])
  const stream = await listen(`${url}?topic=B&topic=C`, { 'last-event-id': head })
  await stream.until(heard(5))
  expect([prices(stream), stream.gaps, emitter.stats().replays, emitter.stats().gaps]).toEqual([[5], [], 1, 0])
})

test('a slow client is told to the application once, is not sent more than its transport holds, and hears everything when it reads on', async () => {
  let slow = 0
  const told = Promise.withResolvers<void>()
  const onSlow = (): void => {
    slow++
    told.resolve()
  }
  const { emitter, port, connected, logs } = await serveShards({ highWaterMark: 16 << 10, onSlow })
  const client = await dial(port)
  client.socket.pause()
  client.write('GET /events?topic=* HTTP/1.1\r\nhost: x\r\n\r\n')
  await connected(1)
  const text = 'x'.repeat(10_000)
  for (let i = 0; i < 3_000; i++) void emitter.emit('halted', { symbol: String(i), reason: text }, { topic: ['A', 'B', 'C'][i % 3]! })
  await told.promise
  const { buffered, lag } = emitter.stats()
  expect(lag).toBeGreaterThan(100)
  // One page of one shard, which may be longer by an event, may go beyond the mark.
  expect(buffered).toBeLessThan((16 << 10) + (64 << 10) + 12_000)
  client.socket.resume()
  await client.until(/"symbol":"2999"/)
  await client.until(new RegExp(`id: ${logs.map((log, shard) => `${shard}.${at(log, 1_000)}`).join('_')}`))
  const symbols = Array.from(client.text.matchAll(/"symbol":"(\d+)"/g), ([, symbol]) => Number(symbol))
  for (const shard of [0, 1, 2]) {
    expect(symbols.filter((symbol) => symbol % 3 === shard)).toEqual(Array.from({ length: 1_000 }, (_, i) => 3 * i + shard))
  }
  expect([slow, client.text.includes('$gap')]).toEqual([1, false])
})

test('a client that takes nothing is cut after the stall timeout', async () => {
  const { emitter, port, connected } = await serveShards({ highWaterMark: 1, stallTimeout: 50 })
  const client = await dial(port)
  client.socket.pause()
  client.write('GET /events?topic=* HTTP/1.1\r\nhost: x\r\n\r\n')
  await connected(1)
  for (let i = 0; i < 2_000; i++)
    void emitter.emit('halted', { symbol: 'x', reason: 'x'.repeat(10_000) }, { topic: ['A', 'B', 'C'][i % 3]! })
  await connected(0)
  expect(emitter.stats()).toMatchObject({ connections: 0, topics: {}, everyTopic: 0, buffered: 0 })
})

test('compression is for connections whose topics lie in one shard', async () => {
  const { url } = await serveShards({ compression: 'shared' })
  const codings = async (query: string): Promise<unknown[]> => {
    const { response } = await listen(`${url}?${query}`, { 'accept-encoding': 'gzip' })
    return [response.headers.get('content-encoding'), response.headers.get('vary')]
  }
  expect([await codings('topic=A'), await codings('topic=B')]).toEqual([
    ['gzip', 'accept-encoding'],
    [null, 'accept-encoding'],
  ])
})

test('the state of things is sent once, before anything of any shard, and again when one of them has lost events', async () => {
  const held = Promise.withResolvers<void>()
  let drawn = 0
  const snapshot = async function* (): AsyncGenerator<OutgoingEvent<Market>> {
    drawn++
    yield { event: 'message', data: `state ${drawn}` }
    if (drawn === 2) await held.promise
    yield { event: 'message', data: `end ${drawn}` }
  }
  const { url, emitter, emit, logs, connected } = await serveShards({ snapshot })
  const stream = await listen(`${url}?topic=B&topic=C`)
  await connected(1)
  await emit([1, 'B'], [2, 'C'])
  await stream.until(({ events }) => events.length === 4)
  const cursor = stream.cursor
  logs[1]!.clear()
  await stream.until(({ text }) => text.includes('state 2'))
  await emit([3, 'C'], [4, 'B'], [5])
  // A heartbeat passes: the stream is held, and shows that it lives.
  const beats = stream.text.split('\n:\n').length
  await stream.until(({ text }) => text.split('\n:\n').length > beats)
  expect([stream.cursor, prices(stream).includes(3)]).toEqual([cursor, false])
  held.resolve()
  await stream.until(({ events }) => events.length === 9)
  const told = stream.events.map(({ event, data }) => (event === 'message' ? data : JSON.parse(data).usd))
  expect(told.slice(0, 2)).toEqual(['state 1', 'end 1'])
  expect(told.slice(4, 6)).toEqual(['state 2', 'end 2'])
  expect(sorted([...told.slice(2, 4), ...told.slice(6)])).toEqual([1, 2, 3, 4, 5])
  expect([stream.gaps.map(({ reason }) => reason), emitter.stats().gaps]).toEqual([['epoch'], 1])

  const resumed = await listen(`${url}?topic=B&topic=C`, { 'last-event-id': stream.cursor })
  await emit([6, 'B'])
  await resumed.until(heard(6))
  expect([resumed.ready.resumed, resumed.events.length, drawn]).toEqual([true, 1, 2])
})

test('streams leave one after the other when the emitter closes, and hear what is emitted until then', async () => {
  const { url, emitter, emit, connected } = await serveShards()
  const streams: Listening[] = []
  for (let i = 0; i < 5; i++) streams.push(await listen(`${url}?topic=B&topic=C`))
  await connected(5)
  const closed = emitter.close({ grace: 200 })
  await emit([1, 'B'], [2, 'C'])
  await closed
  for (const stream of streams) {
    await stream.ended
    expect([sorted(prices(stream)), stream.text.match(/^retry: \d+$/gm)?.length]).toEqual([[1, 2], 1])
  }
})

test('a place is taken and given back once', async () => {
  const { url, connected } = await serveShards({ limits: { connections: 1 } })
  for (let i = 0; i < 3; i++) {
    const stream = await listen(`${url}?topic=*`)
    await connected(1)
    expect((await fetch(`${url}?topic=*`)).status).toBe(503)
    stream.leave()
    await connected(0)
  }
})

describe('a log of shards is refused', () => {
  const shards = [memoryLog(), memoryLog()]
  test.each<[name: string, log: unknown, message: RegExp]>([
    ['without shards', { shards: [], shardOf: () => 0 }, /log\.shards takes 1 to 64 logs/],
    ['without a function', { shards }, /log\.shardOf a function/],
    ['that has what is for everyone elsewhere', { shards, shardOf: () => 1 }, /no 0 for undefined/],
    ['whose epoch no cursor can hold', { shards: [memoryLog(), { epoch: 'A_B' }], shardOf: () => 0 }, /log\.epoch is "A_B"/],
    ['that has the same one twice', { shards: [shards[0], shards[0]], shardOf: () => 0 }, /belongs to another emitter/],
  ])('%s', (_name, log, message) => {
    const error = caught(() => createEmitter(market, { log: log as ShardedLog }))
    expect(error).toMatchObject({ code: 'invalid-option', message: expect.stringMatching(message) })
  })

  test('and let go of, so that they can be used', async () => {
    const emitter = createEmitter(market, { log: { shards, shardOf: () => 0 } })
    onTestFinished(() => emitter.close())
    expect(await emitter.emit('message', 'hello')).toBe(at(shards[0]!, 1))
  })

  test('at the emit of a topic that has no shard', async () => {
    const emitter = createEmitter(market, {
      log: { shards: [memoryLog(), memoryLog()], shardOf: (topic) => (topic === undefined ? 0 : 2) },
    })
    onTestFinished(() => emitter.close())
    const error: unknown = await emitter.emit('message', 'hello', { topic: 'x' }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'invalid-option', message: expect.stringContaining('for the topic "x"') })
  })
})
