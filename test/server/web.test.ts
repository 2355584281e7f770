import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { createEmitter, type Connection, type EmitterOptions } from 'eventwire/server'
import { collect } from '../support/listen.ts'
import { market, type Market } from '../support/market.ts'

/** An emitter and the connections that its hooks tell of. */
function watched(options: EmitterOptions<Market> = {}) {
  const open = new Set<Connection<Market>>()
  const emitter = createEmitter(market, { onConnect: (it) => void open.add(it), onDisconnect: (it) => void open.delete(it), ...options })
  return { emitter, open }
}

test('serves a web Request with a web Response', async () => {
  const { emitter, open } = watched()
  const controller = new AbortController()
  const response = await emitter.handle(new Request('http://localhost/events?x=1', { signal: controller.signal }), { topics: ['BTC'] })
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  const stream = collect(response, () => controller.abort())
  await stream.until(({ cursor }) => cursor !== '')
  void emitter.emit('message', 'hello', { topic: 'BTC' })
  await stream.until(({ events }) => events.length === 1)
  expect(open.size).toBe(1)
  controller.abort()
  await stream.ended
  expect(open.size).toBe(0)
})

test('a response that nobody reads leaves nothing behind', async () => {
  const { emitter, open } = watched()
  const timers = process.getActiveResourcesInfo().length
  await emitter.handle(new Request('http://localhost/events'))
  await new Promise(setImmediate)
  expect(open.size).toBe(0)
  expect(process.getActiveResourcesInfo().length).toBe(timers)
})

test('a reader that cancels is gone, and leaves no listener on its signal', async () => {
  const { emitter, open } = watched()
  const controller = new AbortController()
  const request = new Request('http://localhost/events', { signal: controller.signal })
  const reader = (await emitter.handle(request)).body!.getReader()
  await reader.read()
  expect(open.size).toBe(1)
  await reader.cancel()
  expect(open.size).toBe(0)
  expect(getEventListeners(request.signal, 'abort')).toEqual([])
  await emitter.emit('message', 'to nobody')
})

test('a request that was aborted before its response is read gets no connection', async () => {
  const { emitter, open } = watched()
  const controller = new AbortController()
  const response = await emitter.handle(new Request('http://localhost/events', { signal: controller.signal }))
  controller.abort()
  await collect(response, () => {}).ended
  expect(open.size).toBe(0)
})

test('answers HEAD and other methods like the node side', async () => {
  const { emitter } = watched()
  const head = await emitter.handle(new Request('http://localhost/events', { method: 'HEAD' }))
  expect([head.status, head.body, head.headers.get('content-type')]).toEqual([200, null, 'text/event-stream'])
  const post = await emitter.handle(new Request('http://localhost/events', { method: 'POST' }))
  expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
})

test('a reader that stops reading is left at its cursor, and reads on from the log', async () => {
  const { emitter } = watched({ highWaterMark: 1_000 })
  const reader = (await emitter.handle(new Request('http://localhost/events'))).body!.getReader()
  await reader.read()
  for (let i = 0; i < 500; i++) {
    void emitter.emit('message', `${i} ${'x'.repeat(1_000)}`)
    if (i % 10 === 0) await new Promise(setImmediate)
  }
  const heard: string[] = []
  while (heard.length < 500) {
    const { value } = await reader.read()
    heard.push(...(new TextDecoder().decode(value).match(/(?<=^data: )\d+/gm) ?? []))
  }
  expect(heard).toEqual(Array.from({ length: 500 }, (_, i) => String(i)))
  await reader.cancel()
})

test('a reader that takes away what another has yet to read ends the stream of the other, which resumes', async () => {
  const emitter = createEmitter(market)
  const open = async (): Promise<ReadableStreamDefaultReader<Uint8Array>> => {
    const reader = (await emitter.handle(new Request('http://localhost/events'))).body!.getReader()
    await reader.read()
    return reader
  }
  const next = async (reader: ReadableStreamDefaultReader<Uint8Array>): Promise<Uint8Array> => (await reader.read()).value!
  const [one, other] = [await open(), await open()]
  const start = await emitter.emit('message', 'before')
  expect(new TextDecoder().decode(await next(one))).toContain('data: before')
  expect(await next(other)).toEqual(expect.any(Uint8Array))
  void emitter.emit('message', 'for both')
  const chunk = await next(one)
  structuredClone(chunk, { transfer: [chunk.buffer as ArrayBuffer] })
  void emitter.emit('message', 'the next')
  expect(await next(other)).toHaveLength(0)
  await expect(other.read()).rejects.toThrow('The stream was cut')
  const resumed = collect(await emitter.handle(new Request('http://localhost/events', { headers: { 'last-event-id': start } })), () => {})
  await resumed.until(({ events }) => events.length === 2)
  expect(resumed.events.map(({ data }) => data)).toEqual(['for both', 'the next'])
  await emitter.close()
})
