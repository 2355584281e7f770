import { expect, onTestFinished, test, vi } from 'vitest'
import { memoryLog } from 'eventwire/server'
import { serveEmitter } from '../support/emitter.ts'
import { listen, type Listening } from '../support/listen.ts'
import { price } from '../support/market.ts'

const resume = (url: string, cursor: string): Promise<Listening> => listen(url, { 'last-event-id': cursor })
const prices = ({ events }: Pick<Listening, 'events'>): number[] => events.map(({ data }) => JSON.parse(data).usd)

test('replays what a client missed, then goes on live, without a hole or a repetition', async () => {
  const { url, emitter } = await serveEmitter()
  const ids: string[] = []
  for (let i = 1; i <= 5; i++) ids.push(await emitter.emit('price', price(i)))
  const stream = await resume(url, ids[1]!)
  void emitter.emit('price', price(6))
  await stream.until(({ events }) => events.length === 4)
  expect(stream.ready).toMatchObject({ resumed: true, replayed: 3 })
  expect(prices(stream)).toEqual([3, 4, 5, 6])
  expect(stream.gaps).toEqual([])
})

test('a client that is up to date is replayed nothing', async () => {
  const { url, emitter } = await serveEmitter()
  const id = await emitter.emit('price', price(1))
  const stream = await resume(url, id)
  await stream.until(({ cursor }) => cursor === id)
  expect(stream.ready).toMatchObject({ resumed: true, replayed: 0 })
  void emitter.emit('price', price(2))
  await stream.until(({ events }) => events.length === 1)
  expect(prices(stream)).toEqual([2])
})

test('a client that heard nothing before the cut resumes from where it had connected', async () => {
  const { url, emitter } = await serveEmitter()
  await emitter.emit('price', price(1))
  const first = await listen(url)
  await first.until(({ cursor }) => cursor !== '')
  first.leave()
  await emitter.emit('price', price(2))
  const second = await resume(url, first.cursor)
  await second.until(({ events }) => events.length === 1)
  expect(prices(second)).toEqual([2])
})

test('a client that connected before the first event of all resumes too', async () => {
  const { url, emitter } = await serveEmitter()
  const first = await listen(url)
  await first.until(({ cursor }) => cursor !== '')
  await emitter.emit('price', price(1))
  const second = await resume(url, first.cursor)
  await second.until(({ events }) => events.length === 1)
  expect(second.ready).toMatchObject({ resumed: true, replayed: 1 })
})

test('replays the topics of the connection only, in the order of the log', async () => {
  const { url, emitter } = await serveEmitter()
  const start = await emitter.emit('message', 'start')
  for (let i = 1; i <= 3_000; i++) void emitter.emit('price', price(i), { topic: `t${i % 4}` })
  void emitter.emit('message', 'end')
  const stream = await resume(`${url}?topic=t1&topic=t3`, start)
  await stream.until(({ events }) => events.at(-1)?.data === 'end')
  expect(stream.ready.replayed).toBe(1_501)
  const odd = Array.from({ length: 1_500 }, (_, i) => 2 * i + 1)
  expect(stream.events.slice(0, -1).map(({ data }) => JSON.parse(data).usd)).toEqual(odd)
})

test('takes the cursor from the query where a header cannot be set, and prefers the header', async () => {
  const { url, emitter } = await serveEmitter()
  const [first, second] = [await emitter.emit('price', price(1)), await emitter.emit('price', price(2))]
  const query = await listen(`${url}?lastEventId=${first}`)
  await query.until(({ events }) => events.length === 1)
  const both = await resume(`${url}?lastEventId=${first}`, second)
  await both.until(({ cursor }) => cursor === second)
  expect(both.events).toEqual([])
})

test('declares a gap when the log no longer holds what followed, and goes on with the oldest event it has', async () => {
  const { url, emitter } = await serveEmitter({ history: { events: 3 } })
  const ids: string[] = []
  for (let i = 1; i <= 10; i++) ids.push(await emitter.emit('price', price(i)))
  const stream = await resume(url, ids[2]!)
  await stream.until(({ events }) => events.length === 3)
  expect(stream.messages.slice(0, 2).map(({ event }) => event)).toEqual(['$ready', '$gap'])
  expect(stream.ready).toMatchObject({ resumed: false, replayed: 3 })
  expect(stream.gaps).toEqual([{ reason: 'evicted', requested: ids[2], oldest: ids[7] }])
  expect(prices(stream)).toEqual([8, 9, 10])
})

test('what becomes too old at the very moment of the resume is declared lost too', async () => {
  const clock = { now: 0, step: 0 }
  vi.spyOn(performance, 'now').mockImplementation(() => (clock.now += clock.step))
  onTestFinished(() => void vi.restoreAllMocks())
  const stories = new Set<string>()
  // Wherever between two looks at the clock the second event becomes too old.
  for (let calls = 0; calls < 30; calls++) {
    const { url, emitter } = await serveEmitter({ history: { age: 10 } })
    Object.assign(clock, { now: 0, step: 0 })
    const id = await emitter.emit('price', price(1))
    clock.now = 5
    await emitter.emit('price', price(2))
    clock.now = 12
    await emitter.emit('price', price(3))
    Object.assign(clock, { now: 15 - calls / 100, step: 0.01 })
    const stream = await resume(url, id)
    clock.step = 0
    await emitter.emit('price', price(4))
    await stream.until(({ events }) => prices({ events }).includes(4))
    stories.add(`${stream.gaps.length} ${prices(stream).join(' ')}`)
  }
  expect([...stories].sort()).toEqual(['0 2 3 4', '1 3 4'])
})

test('resumes from the very edge of the log without a gap', async () => {
  const { url, emitter } = await serveEmitter({ history: { events: 3 } })
  const ids: string[] = []
  for (let i = 1; i <= 10; i++) ids.push(await emitter.emit('price', price(i)))
  const stream = await resume(url, ids[6]!)
  await stream.until(({ events }) => events.length === 3)
  expect(stream.gaps).toEqual([])
  expect(prices(stream)).toEqual([8, 9, 10])
})

test('declares a gap for a cursor of another incarnation of the log, and sends what the new one holds', async () => {
  const before = await serveEmitter()
  const cursor = await before.emitter.emit('price', price(1))
  const after = await serveEmitter()
  const oldest = await after.emitter.emit('price', price(2))
  const stream = await resume(after.url, cursor)
  await stream.until(({ events }) => events.length === 1)
  expect(stream.gaps).toEqual([{ reason: 'epoch', requested: cursor, oldest }])
  expect(prices(stream)).toEqual([2])
})

test('declares a gap for a cursor from the future, and goes on with what is new', async () => {
  const { url, emitter } = await serveEmitter()
  const id = await emitter.emit('price', price(1))
  const future = id.replace(/1$/, '2')
  const stream = await resume(url, future)
  await stream.until(({ cursor }) => cursor === id)
  expect(stream.gaps).toEqual([{ reason: 'ahead', requested: future, oldest: '' }])
  expect(stream.events).toEqual([])
})

test.each([
  ['garbage', 'what is this'],
  ['a bare number', '17'],
  ['a negative position', 'EPOCH--1'],
  ['a fraction', 'EPOCH-1.5'],
  ['leading zeros', 'EPOCH-007'],
  ['a position beyond the integers', 'EPOCH-99999999999999999999'],
  ['no position', 'EPOCH-'],
  ['no epoch', '-1'],
  ['an injection', 'EPOCH-1","x":"'],
  ['8 kB of text', 'x'.repeat(8_000)],
])('declares a malformed cursor, and lives on: %s', async (_, given) => {
  const { url, emitter } = await serveEmitter()
  const id = await emitter.emit('price', price(1))
  const cursor = given.replace('EPOCH', id.split('-')[0]!)
  const stream = await resume(url, cursor)
  await stream.until((it) => it.cursor === id)
  expect(stream.gaps).toEqual([{ reason: 'malformed', requested: cursor.slice(0, 256), oldest: '' }])
  expect(stream.ready.resumed).toBe(false)
  void emitter.emit('price', price(2))
  await stream.until(({ events }) => events.length === 1)
  expect(prices(stream)).toEqual([2])
})

test('a cursor of a megabyte, where the limits let it through, is malformed like any other', async () => {
  const { emitter } = await serveEmitter({ limits: { headerBytes: 2 << 20 } })
  const response = await emitter.handle(new Request(`http://localhost/events?lastEventId=${'9'.repeat(1 << 20)}`))
  const reader = response.body!.getReader()
  const { value } = await reader.read()
  expect(new TextDecoder().decode(value)).toContain('"reason":"malformed"')
  await reader.cancel()
})

test('an empty cursor is that of a new client', async () => {
  const { url } = await serveEmitter()
  const stream = await resume(url, '')
  await stream.until(({ cursor }) => cursor !== '')
  expect(stream.gaps).toEqual([])
})

test('a log that is replaced in mid-stream is declared to everyone, and the stream goes on', async () => {
  const log = memoryLog()
  const { url, emitter, connected } = await serveEmitter({ log })
  const streams = [await listen(url), await listen(`${url}?topic=BTC`), await listen(`${url}?topic=*`)]
  await connected(3)
  const last = await emitter.emit('price', price(1))
  log.clear()
  void emitter.emit('price', price(2))
  for (const stream of streams) {
    await stream.until(({ events }) => events.length === 2)
    expect(prices(stream)).toEqual([1, 2])
    expect(stream.gaps).toEqual([{ reason: 'epoch', requested: last, oldest: '' }])
    expect(stream.messages.map(({ event }) => event)).toEqual(['$ready', 'price', '$gap', 'price'])
  }
})

test('without history there is nothing to replay, and that is declared', async () => {
  const { url, emitter } = await serveEmitter({ history: { events: 0 } })
  const first = await emitter.emit('price', price(1))
  const live = await resume(url, first)
  await live.until(({ cursor }) => cursor === first)
  void emitter.emit('price', price(2))
  await live.until(({ events }) => events.length === 1)
  expect(live.gaps).toEqual([])
  const late = await resume(url, first)
  await late.until(({ gaps }) => gaps.length === 1)
  expect(late.gaps[0]).toMatchObject({ reason: 'evicted', requested: first, oldest: '' })
})
