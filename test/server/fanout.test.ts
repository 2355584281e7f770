import { expect, onTestFinished, test } from 'vitest'
import { createEmitter, memoryLog, type Emitter } from 'eventwire/server'
import { market, price, type Market } from '../support/market.ts'

type Reader = ReadableStreamDefaultReader<Uint8Array>

/** Opens a stream through the web handler, past its opening: what is read then is what one write carried. */
async function open(emitter: Emitter<Market>, topics: string[] = [], cursor?: string): Promise<Reader> {
  const headers = cursor ? { 'last-event-id': cursor } : undefined
  const response = await emitter.handle(new Request('http://localhost/events', { ...(headers && { headers }) }), { topics })
  const reader = response.body!.getReader()
  onTestFinished(() => reader.cancel())
  await reader.read()
  return reader
}

const next = async (reader: Reader): Promise<Uint8Array> => (await reader.read()).value!
const text = async (reader: Reader): Promise<string> => new TextDecoder().decode(await next(reader))

test('what is emitted in one tick leaves in one write', async () => {
  const emitter = createEmitter(market)
  const reader = await open(emitter)
  for (let i = 1; i <= 100; i++) await emitter.emit('price', price(i))
  expect((await text(reader)).match(/^id: /gm)).toHaveLength(100)
})

test('connections with the same topics are handed the very same bytes', async () => {
  const emitter = createEmitter(market)
  const readers = [await open(emitter, ['a', 'b']), await open(emitter, ['b', 'a'])]
  void emitter.emit('message', 'one', { topic: 'a' })
  void emitter.emit('message', 'two')
  const [one, two] = await Promise.all(readers.map(next))
  expect(one).toBe(two)
})

test('a single event is written from the bytes in the log, without a copy', async () => {
  const log = memoryLog()
  const emitter = createEmitter(market, { log })
  const reader = await open(emitter)
  void emitter.emit('message', 'one')
  expect(await next(reader)).toBe(log.read(0, '*', Infinity)[0]!.bytes)
})

test('a burst larger than a write should be goes out before the tick ends, in order', async () => {
  const emitter = createEmitter(market, { highWaterMark: 64 << 20 })
  const reader = await open(emitter)
  for (let i = 0; i < 100; i++) void emitter.emit('message', `${i}:${'x'.repeat(10_000)}`)
  let received = ''
  let writes = 0
  while (!received.includes('data: 99:') || !received.endsWith('\n\n')) {
    received += await text(reader)
    writes++
  }
  expect(writes).toBeGreaterThan(2)
  expect(writes).toBeLessThan(10)
  expect(received.match(/^data: \d+/gm)).toEqual(Array.from({ length: 100 }, (_, i) => `data: ${i}`))
})

test('who connects in the midst of a tick hears what comes after, and nothing twice', async () => {
  const emitter = createEmitter(market)
  const early = await open(emitter)
  const start = await emitter.emit('message', 'before')
  const late = await open(emitter)
  void emitter.emit('message', 'after')
  const resumed = open(emitter, [], start)
  expect((await text(early)) + (await text(early))).toMatch(/data: before\n\n[^]*data: after\n\n$/)
  expect(await text(late)).toMatch(/^id: \S+\ndata: after\n\n$/)
  expect(await text(await resumed)).toMatch(/^id: \S+\ndata: after\n\n$/)
})
