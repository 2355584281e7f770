import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { createEmitter } from 'eventwire/server'
import { market } from '../../support/market.ts'
import { dial, head } from '../../support/raw.ts'
import { serve } from '../../support/serve.ts'
import { openClient } from './client.ts'
import { listenersOf, serveAround } from './server.ts'

// What a stream is on the wire, and what is left of the connection behind it.

const MANY = Array.from({ length: 50 }, (_, i) => `${i} ${'äöü€😀'.repeat(i)}`)

test('over HTTP/1.1 the stream comes in chunks, with every character whole', async () => {
  const { port, emitter } = await serveAround()
  const stream = (await openClient(port)).ask()
  await stream.opened
  expect(stream.response.framing).toBe('chunks')
  for (const text of MANY) void emitter.emit('message', text)
  await stream.until(({ messages }) => messages.length === MANY.length)
  for (const text of MANY) await emitter.emit('message', text).then(() => new Promise(setImmediate))
  await stream.until(({ messages }) => messages.length === MANY.length * 2)
  expect(stream.messages).toEqual([...MANY, ...MANY])
})

test.each([
  ['', []],
  [' that asks to keep the connection', ['connection: keep-alive']],
])('a client of HTTP/1.0%s gets no chunks, and the end with the connection', async (_which, fields) => {
  const { port, emitter, connections } = await serveAround()
  const client = await openClient(port)
  client.socket.write(head('GET /events', ...fields).replace('HTTP/1.1', 'HTTP/1.0'))
  const stream = client.expect('GET')
  await stream.opened
  expect(stream.response.framing).toBe('connection')
  for (const text of MANY) void emitter.emit('message', text)
  await stream.until(({ messages }) => messages.length === MANY.length)
  for (const connection of connections) connection.close()
  await client.closed
  expect([stream.messages, stream.response.complete]).toEqual([MANY, true])
})

test('a client of HTTP/1.1 that asks to end the connection gets a whole body first', async () => {
  const { port, emitter, connections } = await serveAround()
  const client = await openClient(port)
  const stream = client.ask('GET /events', 'connection: close')
  await stream.opened
  void emitter.emit('message', 'last')
  await stream.until(({ messages }) => messages.length === 1)
  for (const connection of connections) connection.close()
  await client.closed
  expect(stream.response).toMatchObject({ framing: 'chunks', complete: true })
})

test('a connection serves streams and other requests in turn, and nothing of them stays on it', async () => {
  const { port, emitter, connections, sockets } = await serveAround(undefined, { highWaterMark: 1 })
  const client = await openClient(port)
  await client.ask('GET /plain').complete
  const before = listenersOf(sockets[0]!)
  for (let round = 1; round <= 5; round++) {
    const stream = client.ask()
    await stream.opened
    // Now and then more than the socket takes at once.
    const text = String(round).repeat(round % 2 ? 10 : 4 << 20)
    void emitter.emit('message', text.slice(0, 900_000))
    void emitter.emit('message', String(round))
    await stream.has(`data: ${round}\n`)
    for (const connection of connections) connection.close()
    await stream.complete
    const other = client.ask('GET /plain')
    await other.complete
    expect(Buffer.from(other.body).toString()).toBe('plain')
    expect(listenersOf(sockets[0]!)).toEqual(before)
  }
  expect(sockets.length).toBe(1)
})

test('two emitters take turns on one connection, and neither writes into the stream of the other', async () => {
  const emitters = [createEmitter(market), createEmitter(market)]

  const open = new Set<() => void>()
  const both = emitters
  const { port } = await serve((request, response) => {
    const index = request.url === '/0' ? 0 : 1
    both[index]!.handleNode(request, response)
    open.add(() => response.end())
  })
  const client = await openClient(port)
  for (let round = 0; round < 6; round++) {
    const stream = client.ask(`GET /${round % 2}`)
    await stream.opened
    for (const [index, emitter] of both.entries()) void emitter.emit('message', `${index} in round ${round}`)
    await stream.until(({ messages }) => messages.length === 1)
    for (const end of open) end()
    open.clear()
    for (const [index, emitter] of both.entries()) void emitter.emit('message', `${index} behind round ${round}`)
    await stream.complete
    expect(stream.messages.filter((text) => !text.startsWith(`${round % 2} `))).toEqual([])
  }
  await Promise.all(both.map((emitter) => emitter.close()))
})

test('a request that was sent behind a stream is answered behind it', async () => {
  const { port, emitter, connections, connected } = await serveAround()
  const client = await openClient(port)
  client.socket.write(head('GET /events') + head('GET /plain') + head('GET /events'))
  const [stream, other, refused] = [client.expect('GET'), client.expect('GET'), client.expect('GET')]
  await connected(1)
  await stream.opened
  for (let count = 1; count <= 20; count++) {
    await emitter.emit('message', `${count}`)
    await stream.until(({ messages }) => messages.length === count)
  }
  expect(other.response).toBeUndefined()
  for (const connection of connections) connection.close()
  void emitter.emit('message', 'too late')
  await refused.complete
  expect([stream.messages.length, Buffer.from(other.body).toString(), refused.response.status]).toEqual([20, 'plain', 503])
})

test('a client that waits for 100 Continue gets it, and the stream behind it', async () => {
  const { port, emitter } = await serveAround()
  const client = await openClient(port)
  const stream = client.ask('GET /events', 'expect: 100-continue', 'content-length: 5')
  await stream.opened
  client.socket.write('hello')
  void emitter.emit('message', 'one')
  await stream.until(({ messages }) => messages.length === 1)
  expect(client.reader.interim).toBe(1)
})

test('HEAD is answered without a body, and the connection goes on', async () => {
  const { port, emitter } = await serveAround()
  const client = await openClient(port)
  await client.ask('HEAD /events').complete
  const stream = client.ask()
  await stream.opened
  await emitter.emit('message', 'one')
  await stream.until(({ messages }) => messages.length === 1)
})

test('a client that has ended its half, which says that it has left, is gone from the emitter', async () => {
  const { port, emitter, connected } = await serveAround()
  const client = await dial(port)
  client.write(head('GET /events'))
  await connected(1)
  client.socket.end()
  await connected(0)
  await emitter.emit('message', 'to nobody')
})

test.each([
  ['before the head', async () => {}],
  ['behind the head', async (client: Awaited<ReturnType<typeof dial>>) => void (await client.until('\n\nid: '))],
])('a client that cuts the connection %s harms no other', async (_when, moment) => {
  const { port, emitter, connected } = await serveAround()
  const other = (await openClient(port)).ask()
  await other.opened
  for (let round = 1; round <= 10; round++) {
    const client = await dial(port)
    client.write(head('GET /events'))
    await moment(client)
    client.socket.resetAndDestroy()
    void emitter.emit('message', 'x'.repeat(300_000))
    await other.until(({ messages }) => messages.length === round)
  }
  await connected(1)
})

test('hooks run in the context of the request, and emitting leaves its own', async () => {
  const context = new AsyncLocalStorage<string>()
  const seen: unknown[] = []
  const { port, emitter, connected } = await serveAround((request, _response, answer) => context.run(request.url!, answer), {
    connect: () => {
      seen.push(context.getStore())
      return {}
    },
    onEmit: () => seen.push(context.getStore()),
  })
  const stream = (await openClient(port)).ask('GET /events?a')
  await stream.opened
  await context.run('emit', () => emitter.emit('message', 'one'))
  await stream.until(({ messages }) => messages.length === 1)
  expect(seen).toEqual(['/events?a', 'emit'])
  await connected(1)
})

test('the event loop can be left at once behind the end: no timer, socket or listener holds it', async () => {
  const { port, server, connections } = await serveAround()
  const client = await openClient(port)
  const stream = client.ask()
  await stream.opened
  for (const connection of connections) connection.close()
  await stream.complete
  client.socket.end()
  await client.closed
  server.close()
  await once(server, 'close')
})
