import { createServer as createTlsServer } from 'node:https'
import { connect as connectHttp2, createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { generate } from 'selfsigned'
import { describe, expect, onTestFinished, test } from 'vitest'
import { missingNginx, startNginx } from '../../support/nginx.ts'
import { openClient, messagesIn } from './client.ts'
import { exchange, MEGABYTE } from './exchange.ts'
import { serveAround, watchedEmitter } from './server.ts'

// What carries the stream: sockets that are slow, encrypted, timed, or not there at all.

test('events of a megabyte and bursts arrive whole', async () => {
  const around = await serveAround()
  await exchange(await openClient(around.port), around)
})

test.each([1, 16 << 10, 64 << 20])(
  'a reader that stops and goes on again and again loses nothing; with room for %d bytes',
  async (highWaterMark) => {
    const { port, emitter, sockets } = await serveAround(undefined, { highWaterMark })
    const client = await openClient(port)
    const stream = client.ask()
    await stream.opened
    let emitted = 0
    for (let round = 0; round < 5; round++) {
      client.socket.pause()
      const end = emitted + 6_000
      while (emitted < end) {
        void emitter.emit('message', `${emitted++} ${'x'.repeat(emitted % 3_000)}`)
        if (emitted % 50 === 0) await new Promise(setImmediate)
      }
      // It has stopped: what the kernel does not take stays in the log.
      if (highWaterMark < 1 << 20) expect(emitter.stats().lag).toBeGreaterThan(0)
      expect(sockets[0]!.listenerCount('drain')).toBeLessThan(5)
      client.socket.resume()
      await stream.has(`data: ${emitted - 1} `)
    }
    expect(stream.messages.map((text) => Number.parseInt(text, 10))).toEqual(Array.from({ length: emitted }, (_, i) => i))
  },
)

test('over TLS a connection serves streams and other requests in turn', async () => {
  const watched = watchedEmitter()
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }])
  const server = createTlsServer({ key, cert }, (request, response) => {
    if (request.url === '/plain') response.end('plain')
    else watched.emitter.handleNode(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const socket = connectTls({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', servername: 'localhost', ca: cert })
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  await exchange(await openClient(socket), watched)
})

test.each(['h2', 'http/1.1'])('a server that speaks HTTP/2 and HTTP/1.1 sends the same to a client of %s', async (protocol) => {
  const watched = watchedEmitter()
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }])
  const server = createSecureServer({ key, cert, allowHTTP1: true }, (request, response) => {
    if (request.url === '/plain') response.end('plain')
    else watched.emitter.handleNode(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const secure = { port, host: '127.0.0.1', servername: 'localhost', ca: cert, ALPNProtocols: [protocol] }
  const socket = connectTls(secure)
  onTestFinished(() => void socket.destroy())
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  if (protocol === 'http/1.1') return exchange(await openClient(socket), watched)

  const session = connectHttp2('https://localhost', { createConnection: () => socket })
  const stream = session.request({ ':path': '/events' })
  const pieces: Buffer[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  stream.on('data', (piece: Buffer) => {
    pieces.push(piece)
    if (piece.includes('last\n\n')) resolve()
  })
  await watched.connected(1)
  for (const text of ['ä', MEGABYTE, 'last']) void watched.emitter.emit('message', text)
  await promise
  const ended = new Promise((done) => stream.on('end', done))
  for (const connection of watched.connections) connection.close()
  await ended
  expect(messagesIn(Buffer.concat(pieces)).map(({ length }) => length)).toEqual([1, MEGABYTE.length, 4])
  session.destroy()
})

test('a server that also upgrades connections sends streams as ever', async () => {
  const around = await serveAround()
  around.server.on('upgrade', (_request, socket) =>
    socket.end('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'),
  )
  await exchange(await openClient(around.port), around)
})

test('while the stream goes on, no timeout for idle connections ends it; behind its end, that for the next request does', async () => {
  const { port, server, emitter, connections } = await serveAround()
  server.keepAliveTimeout = 1
  server.headersTimeout = server.requestTimeout = 100
  const client = await openClient(port)
  const stream = client.ask()
  await stream.opened
  for (let count = 1; count <= 20; count++) {
    void emitter.emit('message', `${count}`)
    await stream.until(({ messages }) => messages.length === count)
  }
  for (const connection of connections) connection.close()
  await stream.complete
  await client.closed
})

test('a connection that the server ends for being idle ends its silent stream, and no other', async () => {
  const { port, emitter, sockets, connected } = await serveAround()
  const stream = (await openClient(port)).ask()
  await stream.opened
  const late = await openClient(port)
  const timed = late.ask()
  await timed.opened
  // What server.setTimeout(1) would have every connection do.
  sockets[1]!.setTimeout(1)
  await late.closed
  expect(timed.response.complete).toBe(false)
  await connected(1)
  void emitter.emit('message', 'to who is left')
  await stream.until(({ messages }) => messages.length === 1)
})

describe.skipIf(missingNginx)('behind nginx that keeps its connections to the server', () => {
  test('streams and other requests take turns on one connection, and each is whole', async () => {
    const around = await serveAround()
    const { url } = await startNginx(around.port, 'proxy_http_version 1.1; proxy_set_header Connection "";')
    await exchange(await openClient(Number(new URL(url).port)), around)
    expect(around.sockets.length).toBe(1)
  })
})
