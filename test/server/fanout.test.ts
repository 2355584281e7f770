import { expect, onTestFinished, test } from 'vitest'
import { createEmitter, memoryLog, type Emitter } from 'eventwire/server'
import { collect, listen } from '../support/listen.ts'
import { market, price, type Market } from '../support/market.ts'
import { serve } from '../support/serve.ts'

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

/** The chunks that are written to real node responses, each of which serves one real client. */
async function written(emitter: Emitter<Market>, clients: number, topics: string[]): Promise<Uint8Array[][]> {
  const responses: Uint8Array[][] = []
  const { url } = await serve((request, response) => {
    const chunks: Uint8Array[] = []
    responses.push(chunks)
    const write = response.write.bind(response)
    response.write = (chunk: Uint8Array) => {
      chunks.push(chunk)
      return write(chunk)
    }
    emitter.handleNode(request, response, { topics })
  })
  for (let i = 0; i < clients; i++) await (await listen(url)).until(({ cursor }) => cursor !== '')
  return responses
}

test('connections with the same topics are handed the very same bytes, in one write', async () => {
  const emitter = createEmitter(market)
  const [one, two, three] = await written(emitter, 3, ['a', 'b'])
  void emitter.emit('message', 'one', { topic: 'a' })
  void emitter.emit('message', 'two')
  await new Promise(setImmediate)
  await new Promise(setImmediate)
  expect(one).toHaveLength(2)
  expect(two![1]).toBe(one![1])
  expect(three![1]).toBe(one![1])
  await emitter.close()
})

test('a web reader that takes its chunks away does not empty the log for others', async () => {
  const emitter = createEmitter(market)
  const response = await emitter.handle(new Request('http://localhost/events'))
  // A stream of bytes takes away the memory of what it is fed with.
  const reader = response.body!.getReader()
  const bytes = new ReadableStream({
    type: 'bytes',
    async pull(controller) {
      const { value } = await reader.read()
      controller.enqueue(value!)
      expect(value!.byteLength).toBe(0)
    },
  })
  const first = collect(new Response(bytes), () => {})
  await first.until(({ cursor }) => cursor !== '')
  const { cursor } = first
  for (const count of [1, 2]) {
    void emitter.emit('message', `${count}`)
    await first.until(({ events }) => events.length === count)
  }
  const late = await emitter.handle(new Request('http://localhost/events', { headers: { 'last-event-id': cursor } }))
  const stream = collect(late, () => {})
  await stream.until(({ events }) => events.length === 2)
  expect(stream.events.map(({ data }) => data)).toEqual(['1', '2'])
  await emitter.close()
})

test('a burst larger than a write should be goes out in several, in order', async () => {
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
  expect(writes).toBeLessThan(40)
  expect(received.match(/^data: \d+/gm)).toEqual(Array.from({ length: 100 }, (_, i) => `data: ${i}`))
})

test('who connects in the midst of a tick hears what comes after, and nothing twice', async () => {
  const emitter = createEmitter(market)
  const early = await open(emitter)
  const start = await emitter.emit('message', 'before')
  const late = await open(emitter)
  void emitter.emit('message', 'after')
  const resumed = open(emitter, [], start)
  expect(await text(early)).toMatch(/data: before\n\n[^]*data: after\n\n$/)
  expect(await text(late)).toMatch(/^id: \S+\ndata: after\n\n$/)
  expect(await text(await resumed)).toMatch(/^id: \S+\ndata: after\n\n$/)
})

test('after the log was cleared, what is emitted in one tick still leaves in one write, however much has gone out since', async () => {
  const log = memoryLog()
  const emitter = createEmitter(market, { log })
  const reader = await open(emitter)
  const readTo = async (end: string): Promise<string> => {
    for (;;) {
      const read = await text(reader)
      if (read.includes(end)) return read
    }
  }
  for (let i = 1; i <= 1_000; i++) void emitter.emit('price', price(i))
  await readTo('"usd":1000}')
  log.clear()
  for (let i = 0; i < 10; i++) {
    void emitter.emit('message', `${'x'.repeat(1_000_000)} end ${i}`)
    await readTo(` end ${i}\n`)
  }
  for (let i = 1; i <= 50; i++) void emitter.emit('price', price(i))
  expect((await readTo('"usd":50}')).match(/^id: /gm)).toHaveLength(50)
  await emitter.close()
})
