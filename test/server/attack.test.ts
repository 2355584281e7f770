import { once } from 'node:events'
import { createServer, type RequestListener, type ServerOptions } from 'node:http'
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { defineEvents, text, type EventwireError } from 'eventwire'
import { createSubscriber } from 'eventwire/client'
import { createEmitter, publishHandler, streamEvents, type Emitter, type EmitterOptions, type StreamedEvent } from 'eventwire/server'
import { caught } from '../support/caught.ts'
import { serveEmitter } from '../support/emitter.ts'
import { heap } from '../support/heap.ts'
import { collect, listen } from '../support/listen.ts'
import { market, price, type Market } from '../support/market.ts'
import { dial, head, statusesOf, type Raw } from '../support/raw.ts'
import { serve } from '../support/serve.ts'
import { collector } from '../support/subscribe.ts'
import { watch } from '../support/watch.ts'
import { WAYS } from '../support/ways.ts'

/** What an attacker would like to have read as lines of the stream. */
const INJECTED = '\n\nevent: price\ndata: {"symbol":"EVIL","usd":0}\n\n'
const LINE_ENDS = ['\n', '\r', '\r\n', '\n\n', '\r\r', '\0']

/** A server of node with timeouts and limits of its own. */
async function serveWith(options: ServerOptions, listener: RequestListener): Promise<{ port: number; url: string }> {
  const server = createServer(options, listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  )
  const { port } = server.address() as AddressInfo
  return { port, url: `http://127.0.0.1:${port}/events` }
}

/** An emitter whose hooks are counted: who is open now, and how many `connect` was asked about. */
function follow(options: EmitterOptions<Market> = {}) {
  const asked: Request[] = []
  const { connections: open, connected: until, options: watched } = watch(options)
  const emitter = createEmitter(market, {
    ...watched,
    connect(request, details) {
      asked.push(request)
      return options.connect?.(request, details)
    },
  })
  onTestFinished(async () => {
    await emitter.close()
    if (open.size > 0) throw new Error(`${open.size} connections were left behind.`)
  })
  return { emitter, open, asked, until }
}

describe('lines smuggled into the stream', () => {
  test.each(LINE_ENDS)('no event can be named with %j in it', (end) => {
    expect(caught(() => defineEvents({ [`price${end}data: x`]: text() })).code).toBe('invalid-contract')
  })

  test.each([...LINE_ENDS.map((end) => `5${end}data: x`), '5'])('no reconnection time can be %j', (retry) => {
    const options = { retry: retry as unknown as number }
    expect(caught(() => createEmitter(market, options)).code).toBe('invalid-option')
    expect(caught(() => streamEvents(market, options, () => [])).code).toBe('invalid-option')
  })

  test.each(LINE_ENDS)('an id of a generator with %j in it ends the stream, and onError hears why', async (end) => {
    const errors: EventwireError[] = []
    const streams = streamEvents(market, { onError: (error) => void errors.push(error) }, () => [
      { event: 'message', data: 'first', id: '1' },
      { event: 'message', data: 'second', id: `2${end}data: injected` },
    ])
    const response = await streams.handle(new Request('http://127.0.0.1/'))
    const stream = collect(response, () => {})
    await stream.ended
    expect(stream.events.map(({ data, id }) => [data, id])).toEqual([['first', '1']])
    expect(stream.text).not.toContain('injected')
    // No $end: the client comes back.
    expect(stream.messages.map(({ event }) => event)).toEqual(['$ready', 'message'])
    expect(errors).toMatchObject([{ code: 'hook-failed', cause: { code: 'invalid-message' } }])
  })

  test.each(['price', 'nope\ndata: x', '$end', 'toString'])('a generator cannot send %j past the contract', async (event) => {
    const errors: EventwireError[] = []
    const streams = streamEvents(market, { onError: (error) => void errors.push(error) }, () => [
      { event, data: INJECTED } as unknown as StreamedEvent<Market>,
    ])
    const stream = collect(await streams.handle(new Request('http://127.0.0.1/')), () => {})
    await stream.ended
    expect(stream.messages.map((message) => message.event)).toEqual(['$ready'])
    expect(errors).toMatchObject([{ code: 'hook-failed' }])
  })

  test('data is one event, whatever lines it holds and however they end', async () => {
    const { url, emitter, connections, connected } = await serveEmitter()
    const stream = await listen(url)
    await connected(1)
    for (const end of ['\n', '\r', '\r\n']) {
      const data = `one${end}${end}event: price${end}data: {"symbol":"EVIL","usd":0}${end}id: 9${end}retry: 1${end}: c${end}${end}`
      await emitter.emit('message', data)
      await [...connections][0]!.send('message', data)
    }
    await emitter.emit('price', price(1, INJECTED))
    await stream.until(({ events }) => events.length >= 7)
    const lines = 'one\n\nevent: price\ndata: {"symbol":"EVIL","usd":0}\nid: 9\nretry: 1\n: c\n\n'
    expect(stream.events.map(({ event, data }) => [event, data])).toEqual([
      ...Array.from({ length: 6 }, () => ['message', lines]),
      ['price', JSON.stringify(price(1, INJECTED))],
    ])
    expect(stream.cursor).toBe(emitter.stats().log.head)
  })

  test('a topic is never on the wire, whatever it holds', async () => {
    const { url, emitter, connected } = await serveEmitter()
    const ask = publishHandler(emitter, { authorize: () => true })
    const topic = `BTC${INJECTED}\0\u2028\ud800`
    const stream = await listen(`${url}?topic=${encodeURIComponent(`BTC${INJECTED}`)}&topic=*`)
    await connected(1)
    const body = JSON.stringify({ event: 'message', data: 'hello', topic })
    const request = new Request(url, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
    expect((await ask.handle(request)).status).toBe(202)
    await stream.until(({ events }) => events.length > 0)
    expect(stream.events).toMatchObject([{ event: 'message', data: 'hello' }])
    expect(stream.text).not.toContain('BTC')
  })

  test('what is published cannot smuggle an event, nor an answer', async () => {
    const { url, emitter, connected } = await serveEmitter()
    const publish = publishHandler(emitter, { authorize: () => true })
    const stream = await listen(url)
    await connected(1)
    for (const event of [`message${INJECTED}`, 'message\r\nset-cookie: a=b', '$end\n']) {
      const body = JSON.stringify({ event, data: 'x' })
      const request = new Request(url, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
      const response = await publish.handle(request)
      expect([response.status, response.headers.get('set-cookie')]).toEqual([422, null])
    }
    await emitter.emit('message', 'the end')
    await stream.until(({ events }) => events.length > 0)
    expect(stream.events.map(({ data }) => data)).toEqual(['the end'])
  })

  test('a cursor comes back as JSON, whatever it holds', async () => {
    const { url, emitter } = await serveEmitter()
    for (const cursor of [
      INJECTED,
      '\r\rdata: x',
      '\0',
      '\u2028',
      `"}\n\ndata: x`,
      '<script>',
      '\u{1f600}'.repeat(300),
      'x'.repeat(1_000),
    ]) {
      const stream = await listen(`${url}?lastEventId=${encodeURIComponent(cursor)}`)
      await stream.until((listening) => listening.cursor !== '')
      expect(stream.messages.map(({ event }) => event)).toEqual(['$ready', '$gap'])
      expect(stream.gaps).toEqual([{ reason: 'malformed', requested: cursor.slice(0, 256), oldest: '' }])
      expect(stream.cursor).toBe(emitter.stats().log.head)
      stream.leave()
    }
  })
})

describe.each(WAYS)('with %s', (way, listener) => {
  test.each<[string, () => unknown]>([
    ['no response at all', () => Response.error()],
    ['one that was read already', () => readAlready()],
    ['one of a status that is none', () => ({ status: 42, headers: {}, arrayBuffer: () => new ArrayBuffer(0) })],
    ['one that switches protocols', () => ({ status: 101, headers: {}, arrayBuffer: () => new ArrayBuffer(0) })],
    ['headers that split', () => ({ status: 403, headers: { 'x-why': 'a\r\nset-cookie: b=c' }, arrayBuffer: () => new ArrayBuffer(0) })],
    ['a header that is none', () => ({ status: 403, headers: { 'x why': 'a' }, arrayBuffer: () => new ArrayBuffer(0) })],
  ])('a Response of connect that is %s is answered with 500, and onError hears of it', async (_name, give) => {
    const errors: EventwireError[] = []
    const { emitter } = follow({ connect: () => give() as Response, onError: (error) => void errors.push(error) })
    const { url } = await serve(listener(emitter))
    const response = await fetch(url)
    expect([response.status, response.headers.get('set-cookie')]).toEqual([500, null])
    expect(errors).toMatchObject([{ code: 'hook-failed' }])
  })

  test('a thousand pipelined requests hold no more places than there are, take next to no memory, and leave nothing behind', async () => {
    const { emitter, open, until } = follow({ limits: { connections: 3 }, heartbeat: 50 })
    const { port, url } = await serve(listener(emitter))
    const raw = await dial(port)
    const before = heap()
    raw.write(head('GET /events').repeat(1_000))
    for (let i = 0; i < 20; i++) {
      await raw.until(i === 0 ? 'event: $ready' : `data: ${i - 1} `)
      await emitter.emit('message', `${i} ${'x'.repeat(10_000)}`)
    }
    expect(open.size).toBeLessThanOrEqual(3)
    expect(heap() - before).toBeLessThan(8 << 20)
    raw.socket.resetAndDestroy()
    await until(0)
    const stream = await listen(url)
    await stream.until(({ cursor }) => cursor !== '')
    expect(emitter.stats().connections).toBe(1)
  })

  test('a client that half-closes after its request is not kept for ever', async () => {
    const { emitter, until } = follow({ heartbeat: 20, stallTimeout: 100 })
    const { port } = await serve(listener(emitter))
    const raw = await dial(port)
    raw.write(head('GET /events'))
    await until(1)
    raw.socket.end()
    await until(0)
    await raw.closed
  })

  test('a client that half-closes while connect is deciding is not kept for ever', async () => {
    const decided = Promise.withResolvers<undefined>()
    const reached = Promise.withResolvers<Request>()
    const { emitter, until, open } = follow({
      heartbeat: 20,
      stallTimeout: 100,
      limits: { connections: 1 },
      connect(request) {
        reached.resolve(request)
        return request.headers.has('x-slow') ? decided.promise : undefined
      },
    })
    const { port, url } = await serve(listener(emitter))
    const raw = await dial(port)
    raw.write(head('GET /events', 'x-slow: 1'))
    await reached.promise
    raw.socket.end()
    await raw.closed
    decided.resolve(undefined)
    while ((await fetch(url, { method: 'HEAD' })).status === 503) await new Promise(setImmediate)
    await until(0)
    expect(open.size).toBe(0)
  })

  test('all at once: a request and its end in one segment', async () => {
    const { emitter, until, open } = follow({ heartbeat: 20, stallTimeout: 100 })
    const { port } = await serve(listener(emitter))
    for (let i = 0; i < 20; i++) {
      const raw = await dial(port)
      raw.socket.end(head('GET /events'))
      await raw.closed
    }
    await until(0)
    expect(open.size).toBe(0)
  })

  test.each([
    ['GET /events', ['content-length: 5'], 'hello'],
    ['GET /events', ['transfer-encoding: chunked'], '5\r\nhello\r\n0\r\n\r\n'],
    ['GET /events', ['content-length: 1000000'], 'x'.repeat(500_000)],
  ])('%s with a body (%j) is a stream like any other, and gone when its client is', async (line, fields, body) => {
    const { emitter, until } = follow({ heartbeat: 20, stallTimeout: 100 })
    const { port } = await serve(listener(emitter))
    const raw = await dial(port)
    raw.write(head(line, ...fields) + body)
    await until(1)
    await emitter.emit('message', 'hi')
    await raw.until('data: hi')
    raw.socket.destroy()
    await until(0)
  })

  // Both ways refuse, or answer, and go on; with `connect`, which wants a Request, as well as without.
  describe.each([
    ['with connect', true],
    ['without connect', false],
  ])('%s', (_with, hooked) => {
    test.each<[string, number | undefined]>([
      ['GET /events HTTP/1.1\r\nhost: a', 200],
      ['GET http://b.example/events HTTP/1.1\r\nhost: a', 200],
      ['GET //evil/path HTTP/1.1\r\nhost: a', 200],
      ['GET /events?lastEventId=%zz&%=%00%ff HTTP/1.1\r\nhost: a', 200],
      ['GET /events#fragment HTTP/1.1\r\nhost: a', undefined],
      ['GET * HTTP/1.1\r\nhost: a', undefined],
      ['GET mailto:a@b HTTP/1.1\r\nhost: a', undefined],
      ['GET ftp://b.example/ HTTP/1.1\r\nhost: a', undefined],
      ['GET http:// HTTP/1.1\r\nhost: a', undefined],
      ['GET http://[::1 HTTP/1.1\r\nhost: a', undefined],
      ['GET /\xff\xfe\x80 HTTP/1.1\r\nhost: a', undefined],
      ['GET /events HTTP/1.1\r\nhost: a\r\nx: \xff\x80\xe4', 200],
      ['GET /events HTTP/1.1\r\nhost: a\r\nx: a\0b', 400],
      ['GET /events HTTP/1.1\r\nhost: a\r\nx\0y: a', 400],
      ['GET /events HTTP/1.1\r\nhost: \xff\xfe', undefined],
      ['GET /events HTTP/1.1\r\nhost: ', undefined],
      ['GET /events HTTP/1.1\r\nhost: :', undefined],
      ['GET /events HTTP/1.1\r\nhost: [::1]:8080', 200],
      ['GET /events HTTP/1.1\r\nhost: a:99999', undefined],
      ['GET /events HTTP/1.1\r\nhost: ada:secret@a', undefined],
      ['GET /events HTTP/1.1\r\nhost: a b', undefined],
      ['GET /events HTTP/1.1\r\nhost: %00', undefined],
      ['GET /events HTTP/1.1\r\nx: no host', 400],
      ['GET /events HTTP/1.0', 200],
      ['GET /events HTTP/1.0\r\nhost: a\r\nconnection: keep-alive', 200],
      ['GET /events HTTP/1.1\r\nhost: a\r\nlast-event-id: a-1\r\nlast-event-id: b-2', 200],
      ['GET /events HTTP/1.1\r\nhost: a\r\n__proto__: x\r\nconstructor: y', 200],
      ['GET /events HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x', 200],
      ['GET /events HTTP/1.1\r\nhost: a\r\nconnection: upgrade, http2-settings\r\nupgrade: h2c\r\nhttp2-settings: x', 200],
      ['GET /events HTTP/1.1\r\nhost: a\r\nexpect: 100-continue', undefined],
      ['GET /events HTTP/1.1\r\nhost: a\r\nexpect: the-worst', 417],
      ['GET /events HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked', 400],
      ['TRACE /events HTTP/1.1\r\nhost: a', 405],
      ['OPTIONS * HTTP/1.1\r\nhost: a', 405],
      ['PROPFIND /events HTTP/1.1\r\nhost: a', 405],
      ['QUERY /events HTTP/1.1\r\nhost: a', 405],
      ['get /events HTTP/1.1\r\nhost: a', 400],
      ['GETS /events HTTP/1.1\r\nhost: a', 400],
      ['PRI * HTTP/2.0\r\n\r\nSM', 400],
      ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    ])('%j gets a clear answer', async (request, status) => {
      const errors: unknown[] = []
      const emitter = createEmitter(market, {
        onError: (error) => void errors.push(error),
        ...(hooked && { connect: (asked: Request) => void new URL(asked.url) }),
      })
      onTestFinished(() => emitter.close())
      const { port, url } = await serve(listener(emitter))
      const raw = await dial(port)
      raw.write(Buffer.from(`${request}\r\n\r\n`, 'latin1'))
      const answered = statusesOf(await raw.until(/^HTTP\/1\.1 (?!100)\d{3} [^]*\r\n\r\n/m)).find((code) => code !== 100)
      // What a web Request cannot express, an adapter refuses before.
      const clear = status === undefined ? [200, 400] : way === 'handle' ? [status, 400] : [status]
      expect(clear).toContain(answered)
      expect(errors).toEqual([])
      expect((await fetch(url, { method: 'HEAD' })).status).toBe(200)
    })
  })

  test('CONNECT is cut, and nobody is asked', async () => {
    const { emitter, asked } = follow()
    const { port } = await serve(listener(emitter))
    const raw = await dial(port)
    raw.write(head('CONNECT evil.example:443'))
    await raw.closed
    expect([raw.text, asked]).toEqual(['', []])
  })
})

test('of pipelined requests the first gets the stream, and the others a refusal when it has ended', async () => {
  const { emitter, open, asked, until } = follow()
  const { port } = await serve((request, response) => emitter.handleNode(request, response))
  const raw = await dial(port)
  raw.write(head('GET /events').repeat(3))
  await until(1)
  await emitter.emit('message', 'hello')
  await raw.until('data: hello')
  expect([open.size, asked.length, statusesOf(raw.text)]).toEqual([1, 1, [200]])
  for (const connection of open) connection.close()
  await raw.until(/(^HTTP[^]*){3}Use one of its own/m)
  expect([open.size, asked.length, statusesOf(raw.text)]).toEqual([0, 1, [200, 503, 503]])
  // What comes after an answer is a request like any other.
  raw.write(head('GET /events'))
  await until(1)
  expect(asked).toHaveLength(2)
})

test.each(['a/rooms/1?x=', 'a?room=1#', 'a#', 'a\\rooms', '/rooms', 'a,b', '@a', 'a/'])(
  'a host %j does not change the path that connect decides on',
  async (host) => {
    const { emitter, asked } = follow()
    const { port } = await serve((request, response) => emitter.handleNode(request, response))
    const raw = await dial(port)
    raw.write(`GET /rooms/2?user=ada HTTP/1.1\r\nhost: ${host}\r\n\r\n`)
    const [status] = statusesOf(await raw.until('\r\n\r\n'))
    expect([200, 400]).toContain(status)
    for (const { url } of asked) {
      const { pathname, search } = new URL(url)
      expect([pathname, search]).toEqual(['/rooms/2', '?user=ada'])
    }
    // The same for who may publish.
    const seen: string[] = []
    const publish = publishHandler(emitter, { authorize: ({ url }) => seen.push(new URL(url).pathname) > 0 })
    const other = await serve((request, response) => publish.handleNode(request, response))
    const poster = await dial(other.port)
    const body = '{"event":"message","data":"x"}'
    const fields = `host: ${host}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}`
    poster.write(`POST /rooms/2 HTTP/1.1\r\n${fields}\r\n\r\n${body}`)
    expect([202, 400]).toContain(statusesOf(await poster.until('\r\n\r\n'))[0])
    for (const path of seen) expect(path).toBe('/rooms/2')
  },
)

describe('slow requests', () => {
  /** Sockets that send `start`, and then crumbs until they are cut. */
  async function drip(port: number, count: number, start: string, crumb: string): Promise<Raw[]> {
    const raws = await Promise.all(Array.from({ length: count }, () => dial(port)))
    for (const raw of raws) {
      raw.write(start)
      const dripping = setInterval(() => raw.socket.writable && raw.write(crumb), 10)
      onTestFinished(() => clearInterval(dripping))
      void raw.closed.then(() => clearInterval(dripping))
    }
    return raws
  }

  const SHORT: ServerOptions = { headersTimeout: 150, requestTimeout: 300, connectionsCheckingInterval: 20 }

  test('headers that drip are cut, and subscribers hear on meanwhile', async () => {
    const { emitter, asked, until, open } = follow()
    const publish = publishHandler(emitter, { authorize: () => true, bodyTimeout: 100 })
    const { port, url } = await serveWith(SHORT, (request, response) => {
      if (request.url === '/publish') publish.handleNode(request, response)
      else emitter.handleNode(request, response)
    })
    const stream = await listen(url)
    await until(1)
    const dripping = [
      ...(await drip(port, 50, 'GET /events HTTP/1.1\r\nhost: a\r\n', 'x: y\r\n')),
      ...(await drip(port, 50, 'POST /publish HTTP/1.1\r\nhost: a\r\n', 'x: y\r\n')),
      ...(await drip(
        port,
        50,
        'POST /publish HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n',
        '{',
      )),
    ]
    let count = 0
    const publishing = setInterval(() => void emitter.emit('message', String(count++)), 5)
    onTestFinished(() => clearInterval(publishing))
    const answers = await Promise.all(dripping.map(async ({ closed }) => statusesOf(await closed)))
    clearInterval(publishing)
    await emitter.emit('message', 'last')
    await stream.until(({ events }) => events.at(-1)?.data === 'last')
    expect(stream.events.slice(0, -1).map(({ data }) => data)).toEqual(Array.from({ length: count }, (__, i) => String(i)))
    expect(new Set(answers.flat())).toEqual(new Set([408]))
    expect([asked.length, open.size]).toEqual([1, 1])
  })

  test('a generator that turns to the body only when its client has left does not wait for it for ever', async () => {
    const turned = Promise.withResolvers<void>()
    const began = Promise.withResolvers<void>()
    const result = Promise.withResolvers<unknown>()
    const streams = streamEvents(market, async function* ({ request, signal }) {
      try {
        yield { event: 'message', data: 'hello' }
        began.resolve()
        await turned.promise
        result.resolve(await request.text())
      } catch (error) {
        result.resolve(error)
      } finally {
        result.resolve(signal.aborted)
      }
    })
    const { port } = await serve((request, response) => {
      streams.handleNode(request, response)
      response.on('close', () => setImmediate(turned.resolve))
    })
    const raw = await dial(port)
    raw.write(`${head('POST /events', 'content-length: 10')}half`)
    await began.promise
    raw.socket.destroy()
    expect(await result.promise).toBeInstanceOf(TypeError)
    await streams.close()
  })

  test('a stream outlives the timeouts that its server has for requests', async () => {
    const { emitter, until } = follow({ heartbeat: 20 })
    const { url } = await serveWith({ ...SHORT, headersTimeout: 50, requestTimeout: 50, keepAliveTimeout: 50 }, (request, response) =>
      emitter.handleNode(request, response),
    )
    const stream = await listen(url)
    await until(1)
    await stream.until(({ text: sent }) => sent.split('\n:\n\n').length > 10)
    await emitter.emit('message', 'still here')
    await stream.until(({ events }) => events.length === 1)
  })
})

describe('large requests', () => {
  const MEGABYTE = 1 << 20

  test('a megabyte of headers is 431 by node, and by the emitter where node was told to take it', async () => {
    const { emitter, asked } = follow()
    for (const maxHeaderSize of [16 << 10, 4 * MEGABYTE]) {
      const { port } = await serveWith({ maxHeaderSize }, (request, response) => emitter.handleNode(request, response))
      for (const request of [head('GET /events', `x: ${'x'.repeat(MEGABYTE)}`), head(`GET /events?${'x'.repeat(MEGABYTE)}`)]) {
        const raw = await dial(port)
        raw.write(request)
        if (maxHeaderSize < MEGABYTE) {
          // Node answers and cuts; which of the two the client sees is a matter of timing.
          expect([[431], []]).toContainEqual(statusesOf(await raw.closed))
        } else {
          expect(statusesOf(await raw.until('more than 16384 bytes'))).toEqual([431])
        }
      }
    }
    expect(asked).toEqual([])
  })

  test('a cursor of a megabyte is 431, and malformed where such headers were allowed', async () => {
    const cursor = 'a'.repeat(MEGABYTE)
    for (const headerBytes of [undefined, 4 * MEGABYTE]) {
      const { emitter } = follow({ limits: { headerBytes } })
      const { url } = await serveWith({ maxHeaderSize: 4 * MEGABYTE }, (request, response) => emitter.handleNode(request, response))
      const before = heap()
      const leaving = new AbortController()
      onTestFinished(() => leaving.abort())
      const { signal } = leaving
      for (const response of [
        await fetch(url, { headers: { 'last-event-id': cursor }, signal }),
        await fetch(`${url}?lastEventId=${cursor}`, { signal }),
        await emitter.handle(new Request(url, { headers: { 'last-event-id': cursor }, signal })),
        await emitter.handle(new Request(`${url}?lastEventId=${cursor}`, { signal })),
      ]) {
        expect(response.status).toBe(headerBytes ? 200 : 431)
        const stream = collect(response, () => {})
        if (!headerBytes) {
          await stream.ended
          continue
        }
        await stream.until(({ gaps }) => gaps.length === 1)
        expect(stream.gaps).toEqual([{ reason: 'malformed', requested: cursor.slice(0, 256), oldest: '' }])
      }
      // A connection may keep the cursor that its client brought, once.
      expect(heap() - before).toBeLessThan(16 << 20)
    }
  })

  test('a generator is not told a cursor that is too long to be one', async () => {
    const seen: (string | undefined)[] = []
    const streams = streamEvents(market, { limits: { headerBytes: 4 * MEGABYTE } }, ({ lastEventId }) => {
      seen.push(lastEventId)
      return []
    })
    for (const length of [MEGABYTE, 257, 256]) {
      await (await streams.handle(new Request(`http://127.0.0.1/?lastEventId=${'a'.repeat(length)}`))).text()
    }
    expect(seen).toEqual([undefined, undefined, 'a'.repeat(256)])
  })

  test('ten thousand topics in one request are refused, quickly and for good', async () => {
    const emitter = createEmitter(market, { limits: { headerBytes: MEGABYTE } })
    const { url } = await serveWith({ maxHeaderSize: MEGABYTE }, (request, response) =>
      emitter.handleNode(request, response, { topics: new URL(request.url ?? '', 'http://x').searchParams.getAll('topic') }),
    )
    const topics = (count: number): string => Array.from({ length: count }, (_, i) => `topic=${i}`).join('&')
    expect((await fetch(`${url}?${topics(10_000)}`)).status).toBe(400)
    const stream = await listen(`${url}?${topics(1_000)}`)
    await stream.until(({ cursor }) => cursor !== '')
    expect(Object.keys(emitter.stats().topics)).toHaveLength(1_000)
    stream.leave()
    await emitter.close()
    expect(Object.keys(emitter.stats().topics)).toHaveLength(0)
  })
})

describe('names of Object.prototype', () => {
  const NAMES = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', 'then'] as const

  test('are events and topics like any other, from the publisher to the subscriber', async () => {
    const schemas = Object.fromEntries(NAMES.map((name) => [name, z.object({ n: z.number() })]))
    const contract = defineEvents(schemas)
    const opened = Promise.withResolvers<void>()
    let count = 0
    const emitter = createEmitter(contract, { onConnect: () => void (++count === NAMES.length && opened.resolve()) })
    const publish = publishHandler(emitter, { authorize: () => true })
    const { url } = await serve((request, response) =>
      request.method === 'POST'
        ? publish.handleNode(request, response)
        : emitter.handleNode(request, response, { topics: new URL(request.url ?? '', 'http://x').searchParams.getAll('topic') }),
    )
    const heard = collector<[string, unknown, string]>()
    for (const topic of NAMES) {
      const stream = createSubscriber(contract, `${url}?topic=${topic}`)
      onTestFinished(() => stream.close())
      for (const name of NAMES) stream.on(name, (data) => heard.take([name, data, topic]))
    }
    await opened.promise
    expect(Object.keys(emitter.stats().topics).sort()).toEqual([...NAMES].sort())
    for (const name of NAMES) expect(emitter.stats().topics[name]).toBe(1)

    for (const [n, name] of NAMES.entries()) {
      const body = `{"event":${JSON.stringify(name)},"data":{"n":${n},"__proto__":{"polluted":true}},"topic":${JSON.stringify(name)}}`
      const response = await fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
      expect(response.status).toBe(202)
    }
    await heard.reach(NAMES.length)
    expect(heard.items.sort(([a], [b]) => NAMES.indexOf(a as 'then') - NAMES.indexOf(b as 'then'))).toEqual(
      NAMES.map((name, n) => [name, { n }, name]),
    )
    expect(({} as Record<string, unknown>)['polluted']).toBe(undefined)
    await emitter.close()
  })

  test.each(NAMES)('%s is no event of a contract that does not name it', async (name) => {
    const emitter = createEmitter(market)
    await expect(emitter.emit(name as 'price', price(1))).rejects.toMatchObject({ code: 'unknown-event' })
    expect(emitter.stats().topics[name]).toBe(undefined)
  })
})

describe('over HTTP/2', () => {
  async function serveHttp2(emitter: Emitter<Market>) {
    const server = createHttp2Server((request, response) => emitter.handleNode(request, response))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(async () => {
      await new Promise((resolve) => server.close(resolve))
    })
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    return () => {
      const session = connectHttp2(origin).on('error', () => {})
      onTestFinished(() => session.destroy())
      return session
    }
  }

  test('a hundred streams that are opened and reset at once leave nothing behind', async () => {
    const { emitter, open, until } = follow({ limits: { connections: 1_000 }, connect: () => Promise.resolve({}) })
    const dialHttp2 = await serveHttp2(emitter)
    for (let round = 0; round < 3; round++) {
      const session = dialHttp2()
      const closed = Array.from({ length: 100 }, (_, i) => {
        const stream = session.request({ ':path': `/events?${i}` }).on('error', () => {})
        const gone = once(stream, 'close')
        // Some before they leave the client, some once the server knows of them.
        if (i % 2) stream.close(8)
        else stream.once('response', () => stream.close(8))
        return gone
      })
      await Promise.all(closed)
      await until(0)
    }
    const session = dialHttp2()
    const stream = session.request({ ':path': '/events' })
    await once(stream, 'response')
    await until(1)
    await emitter.emit('message', 'hello')
    let sent = ''
    for await (const chunk of stream) {
      sent += String(chunk)
      if (sent.includes('data: hello')) break
    }
    await until(0)
    expect(open.size).toBe(0)
  })

  test.each<[Record<string, string>, number | 'a reset' | undefined]>([
    [{ ':path': '//evil/path' }, 200],
    [{ ':path': '*' }, 'a reset'],
    [{ ':path': '/%zz?%00' }, 200],
    [{ ':path': '/events', ':authority': 'ada:secret@a' }, 'a reset'],
    [{ ':path': '/events', ':authority': 'a/rooms?' }, 'a reset'],
    [{ ':path': '/events', ':scheme': 'javascript' }, undefined],
    [{ ':path': '/events', ':method': 'get' }, 405],
    [{ ':path': '/events', ':method': 'POST' }, 405],
    [{ ':path': '/events', ':method': 'TRACE' }, 405],
    [{ ':path': '/events', 'last-event-id': 'x'.repeat(1_000) }, 200],
  ])('%j is answered with %s', async (fields, status) => {
    const { emitter, asked, until } = follow()
    const session = (await serveHttp2(emitter))()
    const stream = session.request(fields)
    const answered = new Promise((resolve) => {
      stream.on('response', ({ ':status': code }) => resolve(code))
      stream.on('error', () => resolve('a reset'))
    })
    stream.end()
    // Node itself resets what is no request.
    expect(status === undefined ? [200, 400, 'a reset'] : [status]).toContain(await answered)
    for (const { url } of asked) expect(new URL(url).pathname).toBe(fields[':path']!.split('?')[0])
    stream.close()
    await until(0)
  })
})

async function readAlready(): Promise<Response> {
  const response = new Response('spent', { status: 403 })
  await response.text()
  return response
}
