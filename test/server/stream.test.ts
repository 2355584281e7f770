import { request } from 'node:http'
import { expect, onTestFinished, test, vi } from 'vitest'
import * as z from 'zod'
import { defineEvents } from 'eventwire'
import { createEmitter } from 'eventwire/server'
import { serveEmitter } from '../support/emitter.ts'
import { listen } from '../support/listen.ts'
import { market, price } from '../support/market.ts'
import { serve } from '../support/serve.ts'

test('answers 200 with the headers that keep proxies from buffering and transforming', async () => {
  const { url } = await serveEmitter()
  const { response } = await listen(url)
  expect(response.status).toBe(200)
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  })
})

test('says $ready first, then a checkpoint, before anything happens', async () => {
  const { url, emitter } = await serveEmitter({ heartbeat: 12_345 })
  const id = await emitter.emit('price', price(1))
  const stream = await listen(url)
  await stream.until(({ cursor }) => cursor !== '')
  expect(stream.messages.map(({ event }) => event)).toEqual(['$ready'])
  expect(stream.ready).toEqual({
    epoch: id.split('-')[0],
    resumed: false,
    replayed: 0,
    heartbeat: 12_345,
    text: ['message'],
    ends: [],
  })
  expect(stream.cursor).toBe(id)
})

test('writes events exactly as the standard has them', async () => {
  const { url, emitter } = await serveEmitter()
  const stream = await listen(url)
  await stream.until(({ cursor }) => cursor !== '')
  const head = stream.text.length
  const first = await emitter.emit('price', price(64_000))
  const second = await emitter.emit('message', 'two\nlines')
  await stream.until(({ events }) => events.length === 2)
  expect(stream.text.slice(head)).toBe(
    `id: ${first}\nevent: price\ndata: {"symbol":"BTC","usd":64000}\n\nid: ${second}\ndata: two\ndata: lines\n\n`,
  )
})

test('numbers events from 1 without holes over all topics', async () => {
  const { emitter } = await serveEmitter()
  const ids = await Promise.all([
    emitter.emit('price', price(1)),
    emitter.emit('price', price(2), { topic: 'BTC' }),
    emitter.emit('message', 'three'),
  ])
  expect(ids.map((id) => id.split('-')[1])).toEqual(['1', '2', '3'])
})

test('asks for the reconnection time that it was given', async () => {
  const { url } = await serveEmitter({ retry: 4_000 })
  const stream = await listen(url)
  await stream.until(({ cursor }) => cursor !== '')
  expect(stream.text.startsWith('retry: 4000\n\n')).toBe(true)
})

test('beats with a comment while nothing happens, and with a checkpoint when the log has moved', async () => {
  const { url, emitter } = await serveEmitter({ heartbeat: 20 })
  const stream = await listen(url)
  await stream.until(({ text }) => text.endsWith('\n\n:\n\n'))
  const id = await emitter.emit('price', price(1, 'ETH'), { topic: 'ETH' })
  await stream.until(({ cursor }) => cursor === id)
  expect(stream.events).toEqual([])
  await stream.until(({ text }) => text.endsWith(`id: ${id}\n\n:\n\n`))
})

test('keeps no timer when the last connection has left', async () => {
  const started = vi.spyOn(globalThis, 'setInterval')
  const stopped = vi.spyOn(globalThis, 'clearInterval')
  onTestFinished(() => void vi.restoreAllMocks())
  const { url, connected } = await serveEmitter({ heartbeat: 59_999 })
  const streams = await Promise.all([listen(url), listen(url), listen(url)])
  await connected(3)
  const beats = started.mock.results.filter((_, i) => started.mock.calls[i]![1] === 59_999)
  expect(beats).toHaveLength(1)
  expect(stopped.mock.calls.flat()).not.toContain(beats[0]!.value)
  for (const stream of streams) stream.leave()
  await connected(0)
  expect(stopped.mock.calls.flat()).toContain(beats[0]!.value)
})

test('answers HEAD with the headers and no stream', async () => {
  const { url, connections } = await serveEmitter()
  const response = await fetch(url, { method: 'HEAD' })
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBe('text/event-stream')
  expect(connections.size).toBe(0)
})

test('refuses other methods and names those it takes', async () => {
  const { url } = await serveEmitter()
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) {
    const response = await fetch(url, { method })
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe('GET, HEAD')
  }
})

test('notices a client that leaves', async () => {
  const { url, connected } = await serveEmitter()
  const stream = await listen(url)
  await connected(1)
  stream.leave()
  await connected(0)
})

test('notices a client that leaves before it reads the first byte', async () => {
  const { port, connected, emitter } = await serveEmitter()
  const client = request({ port, path: '/events' })
  client.end()
  await connected(1)
  client.on('error', () => {}).destroy()
  await connected(0)
  await emitter.emit('price', price(1))
})

test('sends to one connection alone, after what was emitted before, outside the log', async () => {
  const { url, emitter, connections, connected } = await serveEmitter()
  const [one, other] = [await listen(url), await listen(url)]
  await connected(2)
  const [connection] = connections
  void emitter.emit('message', 'for all')
  expect(await connection!.send('message', 'for one')).toBe(true)
  void emitter.emit('message', 'for all again')
  await one.until(({ events }) => events.length === 3)
  await other.until(({ events }) => events.length === 2)
  expect(one.events.map(({ data }) => data)).toEqual(['for all', 'for one', 'for all again'])
  expect(one.text).toContain('\n\ndata: for one\n\n')
  expect(other.events.map(({ data }) => data)).toEqual(['for all', 'for all again'])
})

test('keeps the order of what is sent to one connection, though a schema is asynchronous', async () => {
  const gates: (() => void)[] = []
  const events = defineEvents({
    slow: z.string().refine(() => new Promise<boolean>((resolve) => gates.push(() => resolve(true)))),
    quick: z.string(),
  })
  const emitter = createEmitter(events, {
    onConnect(connection) {
      void connection.send('slow', 'first')
      void connection.send('quick', 'second')
    },
  })
  const { url } = await serve((incoming, response) => emitter.handleNode(incoming, response))
  const stream = await listen(url)
  while (stream.events.length < 2) {
    for (const open of gates.splice(0)) open()
    await new Promise(setImmediate)
  }
  expect(stream.events.map(({ data }) => data)).toEqual(['"first"', '"second"'])
  await emitter.close()
})

test('an event that a hook emits in the midst of a heartbeat is not skipped by the checkpoint that follows', async () => {
  let armed = true
  const emitter = createEmitter(market, {
    heartbeat: 50,
    stallTimeout: 10,
    highWaterMark: 100,
    onDisconnect() {
      if (armed) void emitter.emit('message', 'from the hook')
      armed = false
    },
  })
  const open = async (topic: string): Promise<ReadableStreamDefaultReader<Uint8Array>> =>
    (await emitter.handle(new Request('http://localhost/events'), { topics: [topic] })).body!.getReader()
  const [stalled, other] = [await open('a'), await open('b')]
  await stalled.read()
  await other.read()
  // One is full, and is ended at a heartbeat; the other is one byte short of full, so that its sign of life fills it.
  await emitter.emit('message', 'x'.repeat(200), { topic: 'a' })
  await emitter.emit('message', 'y'.repeat(99 - 'id: 123456789012-2\ndata: \n\n'.length), { topic: 'b' })
  let text = ''
  while (!text.includes('later')) {
    text += new TextDecoder().decode((await other.read()).value)
    if (!armed && !text.includes('later')) void emitter.emit('message', 'later')
  }
  expect(text).toContain('data: from the hook\n\n')
  await emitter.close()
})

test('tells the sender when a connection is gone', async () => {
  const { url, connections, connected } = await serveEmitter()
  const stream = await listen(url)
  await connected(1)
  const [connection] = connections
  stream.leave()
  await connected(0)
  expect(await connection!.send('message', 'too late')).toBe(false)
})

test('ends a connection that the application closes', async () => {
  const { url, emitter } = await serveEmitter({ onConnect: (connection) => connection.close() })
  const stream = await listen(url)
  await stream.ended
  expect(stream.ready.resumed).toBe(false)
  await emitter.emit('price', price(1))
})
