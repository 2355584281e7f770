import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { connect, type AddressInfo, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { generate } from 'selfsigned'
import { expect, onTestFinished, test } from 'vitest'
import type { EmitterOptions } from 'eventwire/server'
import type { Market } from '../../support/market.ts'
import { dial, head, statusesOf } from '../../support/raw.ts'
import { serve } from '../../support/serve.ts'
import { openClient } from './client.ts'
import { MEGABYTE } from './exchange.ts'
import { serveAround, watchedEmitter, type Around, type Surroundings } from './server.ts'

// `detach`: once its head is sent, a stream goes on with the socket alone, and says the same as ever.

const turn = (): Promise<void> => new Promise(setImmediate)
const MANY = Array.from({ length: 50 }, (_, i) => `${i} ${'äöü€😀'.repeat(i)}`)

function serveDetached(around?: Surroundings, options: EmitterOptions<Market> = {}): Promise<Around> {
  return serveAround(around, { ...options, detach: true })
}

function isDetached(socket: Socket | undefined): boolean {
  return socket !== undefined && 'parser' in socket && socket.parser === null
}

/** Waits until http has let go of a socket. */
async function detached(socket: Socket): Promise<void> {
  while (!isDetached(socket)) await turn()
}

/** A client of a stream that http has let go of. */
async function openDetached({ port, sockets }: Around) {
  const client = await openClient(port)
  const stream = client.ask()
  await stream.opened
  await detached(sockets.at(-1)!)
  return { client, stream, socket: sockets.at(-1)! }
}

test('http lets go of an idle connection, and every character comes whole', async () => {
  const around = await serveDetached()
  const { stream } = await openDetached(around)
  expect([stream.response.framing, stream.response.headers.get('connection')]).toEqual(['chunks', 'close'])
  for (const text of [...MANY, MEGABYTE]) void around.emitter.emit('message', text)
  await stream.until(({ messages }) => messages.length === MANY.length + 1)
  for (const text of MANY) await around.emitter.emit('message', text).then(turn)
  await stream.until(({ messages }) => messages.length === MANY.length * 2 + 1)
  expect(stream.messages).toEqual([...MANY, MEGABYTE, ...MANY])
})

test('what is emitted from the first moment on comes in its order, whenever http lets go', async () => {
  const { port, emitter, connected, sockets } = await serveDetached()
  const stream = (await openClient(port)).ask()
  await connected(1)
  for (let i = 0; i < 20; i++) {
    void emitter.emit('message', `${i}`)
    if (i % 3 === 0) await turn()
  }
  await stream.until(({ messages }) => messages.length === 20)
  expect(stream.messages).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`))
  expect(isDetached(sockets[0])).toBe(true)
})

function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}

test('request, response and parser are given up', async () => {
  const gc = collector()
  const kept: WeakRef<object>[] = []
  const watched = watchedEmitter({ detach: true, connect: (request) => ({ topics: [new URL(request.url).pathname] }) })
  const { port } = await serve((request, response) => {
    kept.push(new WeakRef(request), new WeakRef(response), new WeakRef((request.socket as Socket & { parser: object }).parser))
    watched.emitter.handleNode(request, response)
  })
  const stream = (await openClient(port)).ask()
  await stream.opened
  for (let i = 0; i < 100 && kept.some((ref) => ref.deref()); i++) {
    await turn()
    gc()
  }
  expect(kept.map((ref) => ref.deref())).toEqual([undefined, undefined, undefined])
  void watched.emitter.emit('message', 'one')
  await stream.until(({ messages }) => messages.length === 1)
})

test('the end of a stream is a whole body, and the end of its connection', async () => {
  const around = await serveDetached()
  const { client, stream } = await openDetached(around)
  void around.emitter.emit('message', MEGABYTE)
  void around.emitter.emit('message', 'last')
  await turn()
  for (const connection of around.connections) connection.close()
  await client.closed
  expect([stream.response.complete, stream.messages]).toEqual([true, [MEGABYTE, 'last']])
  await around.connected(0)
})

test('with gzip for all the stream is whole too', async () => {
  const { port, connections, sockets } = await serveDetached(undefined, { compression: 'shared' })
  const client = await openClient(port)
  const stream = client.ask('GET /events', 'accept-encoding: gzip')
  await stream.until(({ body }) => body.length > 0)
  await detached(sockets[0]!)
  for (const connection of connections) connection.close()
  await client.closed
  expect([stream.response.headers.get('content-encoding'), stream.response.complete]).toEqual(['gzip', true])
})

test.each([1, 64 << 10])('a reader that stops and goes on again and again loses nothing; with room for %d bytes', async (highWaterMark) => {
  const around = await serveDetached(undefined, { highWaterMark })
  const { client, stream, socket } = await openDetached(around)
  let emitted = 0
  for (let round = 0; round < 4; round++) {
    client.socket.pause()
    const end = emitted + 6_000
    while (emitted < end) {
      void around.emitter.emit('message', `${emitted++} ${'x'.repeat(emitted % 3_000)}`)
      if (emitted % 50 === 0) await turn()
    }
    expect(around.emitter.stats().lag).toBeGreaterThan(0)
    expect(socket.listenerCount('drain')).toBeLessThan(5)
    client.socket.resume()
    await stream.has(`data: ${emitted - 1} `)
  }
  expect(stream.messages.map((text) => Number.parseInt(text, 10))).toEqual(Array.from({ length: emitted }, (_, i) => i))
})

test('one whose bytes do not leave is cut at a heartbeat, and others hear signs of life', async () => {
  const around = await serveDetached(undefined, { heartbeat: 10, stallTimeout: 50, history: { events: 10 } })
  const { client } = await openDetached(around)
  const { stream } = await openDetached(around)
  client.socket.pause()
  while (around.connections.size === 2) {
    void around.emitter.emit('message', 'x'.repeat(500_000))
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  await stream.has('\n\n:\n')
  client.socket.resume()
  await client.closed
})

test('a request behind the stream is not answered, and harms nothing', async () => {
  const around = await serveDetached()
  const { client, stream } = await openDetached(around)
  client.socket.write(head('GET /plain') + head('GET /events'))
  for (let count = 1; count <= 20; count++) {
    await around.emitter.emit('message', `${count}`)
    await stream.until(({ messages }) => messages.length === count)
  }
  for (const connection of around.connections) connection.close()
  await client.closed
  expect([client.reader.responses.length, stream.response.complete]).toEqual([1, true])
})

test('with a request already there behind that for the stream, http stays and answers both', async () => {
  const { port, connections, connected, sockets } = await serveDetached()
  const client = await dial(port)
  client.write(head('GET /events') + head('GET /events'))
  await connected(1)
  await client.until('\n\nid: ')
  for (let i = 0; i < 5; i++) await turn()
  expect(isDetached(sockets[0])).toBe(false)
  for (const connection of connections) connection.close()
  expect(statusesOf(await client.closed)).toEqual([200])
})

test('a client that goes on and on sending is cut', async () => {
  const around = await serveDetached()
  const { client } = await openDetached(around)
  const { stream } = await openDetached(around)
  client.socket.write('x'.repeat(100_000))
  await client.closed
  await around.connected(1)
  void around.emitter.emit('message', 'one')
  await stream.until(({ messages }) => messages.length === 1)
})

test('a client that has ended its half, which says that it has left, is gone from the emitter', async () => {
  const { port, emitter, connected, sockets } = await serveDetached()
  const client = await dial(port)
  client.write(head('GET /events'))
  await connected(1)
  await detached(sockets[0]!)
  client.socket.end()
  await connected(0)
  await emitter.emit('message', 'to nobody')
})

test('a client that cuts the connection harms no other', async () => {
  const around = await serveDetached()
  const { stream } = await openDetached(around)
  for (let round = 1; round <= 10; round++) {
    const { client } = await openDetached(around)
    client.socket.resetAndDestroy()
    void around.emitter.emit('message', 'x'.repeat(300_000))
    await stream.until(({ messages }) => messages.length === round)
  }
  await around.connected(1)
})

test('the signal of a connection aborts when its client leaves', async () => {
  const around = await serveDetached()
  const { client } = await openDetached(around)
  const [connection] = around.connections
  const { signal } = connection!
  expect(signal.aborted).toBe(false)
  client.socket.destroy()
  await once(signal, 'abort')
})

test('the server is closed when the streams are gone, and the emitter closes them over its grace period', async () => {
  const around = await serveDetached()
  const clients = [await openDetached(around), await openDetached(around), await openDetached(around)]
  let closed = false
  around.server.close(() => (closed = true))
  const gone = once(around.server, 'close')
  void around.emitter.emit('message', 'while it closes')
  await Promise.all(clients.map(({ stream }) => stream.has('while it closes')))
  expect(closed).toBe(false)
  await around.emitter.close({ grace: 50 })
  await gone
  await Promise.all(clients.map(({ client }) => client.closed))
  expect(clients.map(({ stream }) => stream.response.complete)).toEqual([true, true, true])
})

test('who comes and goes leaves nothing behind', async () => {
  const around = await serveDetached()
  for (let round = 0; round < 10; round++) {
    const opened = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const client = await dial(around.port)
        client.write(head('GET /events'))
        await client.until('\n\nid: ')
        return client
      }),
    )
    for (const [i, client] of opened.entries()) {
      if (i % 3 === 0) client.socket.resetAndDestroy()
      else if (i % 3 === 1) client.socket.end()
      else client.socket.destroy()
    }
    await around.connected(0)
  }
  while ((await promisify(around.server.getConnections.bind(around.server))()) > 0) await turn()
  expect(around.sockets.filter((socket) => !socket.destroyed)).toEqual([])
})

test('the heap is what it was when 200 have come and gone', async () => {
  const gc = collector()
  const { emitter, connected } = watchedEmitter({ detach: true })
  const { server, port } = await serve((request, response) => emitter.handleNode(request, response))
  const round = async (): Promise<number> => {
    for (let i = 0; i < 200; i++) {
      const socket = connect(port, '127.0.0.1')
      socket.write(head('GET /events'))
      await once(socket, 'data')
      await turn()
      socket.destroy()
    }
    await connected(0)
    while ((await promisify(server.getConnections.bind(server))()) > 0) await turn()
    gc()
    return process.memoryUsage().heapUsed
  }
  await round()
  const before = await round()
  expect((await round()) - before).toBeLessThan(200 << 10)
})

test('a connection that served other requests serves a stream last', async () => {
  const around = await serveDetached()
  const client = await openClient(around.port)
  await client.ask('GET /plain').complete
  const stream = client.ask()
  await stream.opened
  await detached(around.sockets[0]!)
  void around.emitter.emit('message', 'one')
  await stream.until(({ messages }) => messages.length === 1)
  for (const connection of around.connections) connection.close()
  await client.closed
  expect([stream.response.complete, around.sockets.length]).toEqual([true, 1])
})

test('a connection that the server ends for being idle ends its silent stream', async () => {
  const around = await serveDetached()
  const { client, socket } = await openDetached(around)
  // What server.setTimeout(1) would have every connection do.
  socket.setTimeout(1)
  await client.closed
  await around.connected(0)
})

test('what the application does with the response later means nothing to the stream', async () => {
  const around = await serveDetached()
  const { stream } = await openDetached(around)
  const response = around.responses[0]!
  response.write(': not this\n\n')
  response.end()
  response.destroy()
  await turn()
  void around.emitter.emit('message', 'one')
  await stream.until(({ messages }) => messages.length === 1)
  expect(Buffer.from(stream.body).toString()).not.toContain('not this')
})

const STAYS: readonly (readonly [string, (request: IncomingMessage, response: ServerResponse) => void])[] = [
  ['a logger waits for the response to finish', (_request, response) => void response.on('finish', () => {})],
  ['somebody waits for the response to close', (_request, response) => void response.on('close', () => {})],
  [
    'somebody does more at the end of the response',
    (_request, response) => void Object.assign(response, { end: response.end.bind(response) }),
  ],
  ['trailers are announced', (_request, response) => void response.setHeader('trailer', 'sum')],
  ['somebody waits for the request to close', (request) => void request.on('close', () => {})],
  ['somebody reads the socket', (request) => void request.socket.on('data', () => {})],
  ['somebody replaces write', (_request, response) => queueMicrotask(() => (response.write = response.write.bind(response)))],
  [
    'the parser is not as it was',
    (request) => void Object.assign((request.socket as Socket & { parser: object }).parser, { close: undefined }),
  ],
]

test.each(STAYS)('http stays while %s, and the stream is the same', async (_why, meddle) => {
  const { port, emitter, connections, sockets } = await serveDetached((request, response, answer) => {
    meddle(request, response)
    answer()
  })
  const client = await openClient(port)
  const stream = client.ask()
  await stream.opened
  for (let i = 0; i < 5; i++) await turn()
  expect(isDetached(sockets[0])).toBe(false)
  for (const text of MANY) void emitter.emit('message', text)
  await stream.until(({ messages }) => messages.length === MANY.length)
  for (const connection of connections) connection.close()
  await stream.complete
  expect([stream.messages, stream.response.complete]).toEqual([MANY, true])
})

test('http stays while the body of the request has yet to come', async () => {
  const { port, emitter, sockets } = await serveDetached()
  const client = await openClient(port)
  const stream = client.ask('GET /events', 'content-length: 5')
  await stream.opened
  for (let i = 0; i < 5; i++) await turn()
  client.socket.write('hello')
  void emitter.emit('message', 'one')
  await stream.until(({ messages }) => messages.length === 1)
  expect(isDetached(sockets[0])).toBe(false)
})

test('http stays with a server that lets clients end their half and read on', async () => {
  const { port, server, emitter, sockets } = await serveDetached()
  Object.assign(server, { httpAllowHalfOpen: true })
  const client = await dial(port)
  client.write(head('GET /events'))
  await client.until('\n\nid: ')
  client.socket.end()
  for (let i = 0; i < 5; i++) await turn()
  void emitter.emit('message', 'behind its end')
  await client.until('behind its end')
  expect(isDetached(sockets[0])).toBe(false)
})

test('over TLS http stays, and the stream is the same', async () => {
  const watched = watchedEmitter({ detach: true })
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }])
  const server = createTlsServer({ key, cert }, (request, response) => watched.emitter.handleNode(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const socket = connectTls({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', servername: 'localhost', ca: cert })
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  const client = await openClient(socket)
  const stream = client.ask()
  await stream.opened
  void watched.emitter.emit('message', MEGABYTE)
  await stream.until(({ messages }) => messages.length === 1)
  expect(stream.response.headers.get('connection')).toBe('keep-alive')
  for (const connection of watched.connections) connection.close()
  await stream.complete
})

test.each([
  ['HTTP/1.0', head('GET /events').replace('HTTP/1.1', 'HTTP/1.0')],
  ['HTTP/1.1, which asks to end the connection', head('GET /events', 'connection: close')],
])('a client of %s gets the stream, and the end with the connection', async (_which, request) => {
  const { port, emitter, connections, connected } = await serveDetached()
  const client = await dial(port)
  client.write(request)
  await connected(1)
  await client.until('\n\nid: ')
  void emitter.emit('message', 'one')
  await client.until('data: one\n\n')
  for (const connection of connections) connection.close()
  expect((await client.closed).split('data: one').length).toBe(2)
})
