import {
  connect,
  createSecureServer,
  createServer,
  type ClientHttp2Stream,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type OutgoingHttpHeaders,
} from 'node:http2'
import type { AddressInfo, LookupFunction } from 'node:net'
import { generate } from 'selfsigned'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createEmitter, streamEvents, type Connection } from 'eventwire/server'
import { market, type Market } from '../support/market.ts'

/** The name is that of the certificate, and the servers listen on IPv4. */
const LOOPBACK: LookupFunction = (_name, _options, callback) => callback(null, [{ address: '127.0.0.1', family: 4 }])

type Listener = (request: Http2ServerRequest, response: Http2ServerResponse) => void

/** Serves HTTP/2, over TLS or in clear, and gives a function that asks for the stream on one session. */
async function serveHttp2(
  listener: Listener,
  over: 'tls' | 'clear' = 'clear',
): Promise<(headers?: OutgoingHttpHeaders) => ClientHttp2Stream> {
  const { private: key, cert } = over === 'tls' ? await generate([{ name: 'commonName', value: 'localhost' }]) : { private: '', cert: '' }
  const server = over === 'tls' ? createSecureServer({ key, cert }, listener) : createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const scheme = over === 'tls' ? 'https' : 'http'
  const session = connect(`${scheme}://localhost:${(server.address() as AddressInfo).port}`, { ca: cert, lookup: LOOPBACK })
  // Room for more than one stream that is not read, as browsers have it.
  session.once('connect', () => session.setLocalWindowSize(1 << 20))
  onTestFinished(async () => {
    session.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return (headers) => session.request({ ':path': '/events', ...headers }).on('error', () => {})
}

/** Reads a stream; gives a function that waits until it has sent `part`. */
function hearing(stream: ClientHttp2Stream): (part: string) => Promise<void> {
  let text = ''
  let wake = Promise.withResolvers<void>()
  stream.on('data', (chunk: Buffer) => {
    text += chunk.toString()
    wake.resolve()
    wake = Promise.withResolvers()
  })
  return async (part) => {
    while (!text.includes(part)) await wake.promise
  }
}

describe.each(['clear', 'tls'] as const)('over HTTP/2, %s', (over) => {
  test('a hundred streams of one session hear the same events, and end when the emitter is closed', async () => {
    const emitter = createEmitter(market)
    const ask = await serveHttp2((request, response) => emitter.handleNode(request, response), over)
    const streams = Array.from({ length: 100 }, () => ask())
    const heard = streams.map(hearing)
    await Promise.all(heard.map((hears) => hears('\n\nid: ')))
    const ended = streams.map((stream) => new Promise((resolve) => stream.on('end', resolve)))
    await emitter.emit('message', 'hello')
    await Promise.all(heard.map((hears) => hears('data: hello\n\n')))
    await emitter.close()
    await Promise.all(ended)
  })

  test('connect sees the address as the client wrote it', async () => {
    const seen = Promise.withResolvers<Request>()
    const emitter = createEmitter(market, { connect: (request) => seen.resolve(request) })
    const ask = await serveHttp2((request, response) => emitter.handleNode(request, response), over)
    const stream = ask({ cookie: 'a=b' })
    const { url, headers } = await seen.promise
    expect(url).toMatch(over === 'tls' ? /^https:\/\/localhost:\d+\/events$/ : /^http:\/\/localhost:\d+\/events$/)
    expect([...headers]).toEqual([['cookie', 'a=b']])
    stream.close()
    await emitter.close()
  })

  test('a stream that is not read holds up none of its session', async () => {
    const emitter = createEmitter(market)
    const ask = await serveHttp2((request, response) => emitter.handleNode(request, response), over)
    const slow = ask()
    const hears = hearing(ask())
    await hears('$ready')
    for (let i = 0; i < 100; i++) {
      await emitter.emit('message', `${i} ${'x'.repeat(20_000)}`)
      await hears(`data: ${i} `)
    }
    // It is left at its cursor, and reads on from there.
    expect(emitter.stats().lag).toBeGreaterThan(0)
    await hearing(slow)('data: 99 ')
    await emitter.close()
  })

  test('a request by POST brings its body', async () => {
    const streams = streamEvents(market, async function* ({ request }) {
      yield { event: 'message', data: (await request.text()).toUpperCase() }
    })
    const ask = await serveHttp2((request, response) => streams.handleNode(request, response), over)
    const stream = ask({ ':method': 'POST' })
    stream.end('hello')
    await hearing(stream)('data: HELLO')
    await streams.close()
  })
})

test('a client that left while the application was deciding leaves nothing behind', async () => {
  const open = new Set<Connection<Market>>()
  const emitter = createEmitter(market, { onConnect: (it) => void open.add(it), onDisconnect: (it) => void open.delete(it) })
  const handled = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const ask = await serveHttp2((request, response) => {
    response.on('close', () => {
      emitter.handleNode(request, response)
      handled.resolve()
    })
    asked.resolve()
  })
  const stream = ask()
  await asked.promise
  stream.close()
  await handled.promise
  expect(open.size).toBe(0)
  await emitter.close()
})
