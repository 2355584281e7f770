import express from 'express'
import fastify from 'fastify'
import { once } from 'node:events'
import { connect as connectHttp2, createServer as createHttp2Server, type ClientHttp2Stream } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { defineEvents, type Contract, type EventwireError } from 'eventwire'
import { createEmitter, publishHandler, type Publication, type PublishOptions } from 'eventwire/server'
import { ASKS, type Ask } from '../support/ask.ts'
import { caught } from '../support/caught.ts'
import { serveEmitter } from '../support/emitter.ts'
import { heap } from '../support/heap.ts'
import { listen } from '../support/listen.ts'
import { market, price } from '../support/market.ts'
import { dial, head, statusesOf } from '../support/raw.ts'
import { serve } from '../support/serve.ts'
import { collector } from '../support/subscribe.ts'

const EVERYBODY: PublishOptions = { authorize: () => true }
const PRICE = { event: 'price', data: price(1) }
const JSON_TYPE = 'content-type: application/json'

/** A POST of JSON; text and bytes are sent as they are. */
function post(body: unknown, headers: Record<string, string> = {}): RequestInit {
  const raw = typeof body === 'string' || body instanceof Uint8Array || body instanceof ReadableStream
  return {
    method: 'POST',
    body: raw ? (body as BodyInit) : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...headers },
    ...(body instanceof ReadableStream && { duplex: 'half' }),
  }
}

/** The same, in chunks and so without a content-length. */
function chunked(...parts: string[]): ReadableStream<Uint8Array> {
  return new Blob(parts).stream()
}

interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code?: string
  readonly issues?: readonly { message: string; path: (string | number)[] }[]
}

/** The problem in a response, after a check that it is one by RFC 9457. */
async function problemOf(response: Response): Promise<Problem> {
  expect(response.headers.get('content-type')).toBe('application/problem+json')
  expect(response.headers.get('cache-control')).toBe('no-store')
  const problem = (await response.json()) as Problem
  expect(problem).toMatchObject({ type: 'about:blank', status: response.status })
  expect(problem.title).toMatch(/^[A-Z]/)
  expect(problem.detail).not.toBe('')
  return problem
}

/** Every event that an emitter was told of. */
function emittedBy(): { emitted: string[]; onEmit(this: void, emitted: { event: string }): void } {
  const emitted: string[] = []
  return { emitted, onEmit: ({ event }) => void emitted.push(event) }
}

describe.each(ASKS)('%s', (_, asking) => {
  /** A publish handler of the market; what was emitted and reported through it. */
  async function open(options: Partial<PublishOptions> = {}): Promise<{ ask: Ask; emitted: string[]; errors: EventwireError[] }> {
    const { emitted, onEmit } = emittedBy()
    const errors: EventwireError[] = []
    const emitter = createEmitter(market, { onEmit })
    onTestFinished(() => emitter.close())
    const publish = publishHandler(emitter, { ...EVERYBODY, onError: (error) => void errors.push(error), ...options })
    return { ask: await asking(publish), emitted, errors }
  }

  test('202 and the id, and only who listens to the topic hears it', async () => {
    const { emitter, url } = await serveEmitter()
    const ask = await asking(publishHandler(emitter, EVERYBODY))
    const everyone = await listen(url)
    const btc = await listen(`${url}?topic=BTC`)
    const eth = await listen(`${url}?topic=ETH`)
    for (const stream of [everyone, btc, eth]) await stream.until(({ cursor }) => cursor !== '')

    const response = await ask(post({ ...PRICE, topic: 'BTC' }))
    expect([response.status, response.headers.get('content-type')]).toEqual([202, 'application/json'])
    const { id } = (await response.json()) as { id: string }
    expect(id).toBe(emitter.stats().log.head)
    await btc.until(({ events }) => events.length === 1)
    expect(btc.events).toEqual([{ event: 'price', data: JSON.stringify(price(1)), id }])

    await ask(post({ event: 'message', data: 'to everyone' }))
    for (const stream of [everyone, eth]) {
      await stream.until(({ events }) => events.length === 1)
      expect(stream.events[0]!.data).toBe('to everyone')
    }
  })

  test.each([
    'application/json',
    'application/json; charset=utf-8',
    'APPLICATION/JSON',
    'application/problem+json',
    'application/json;x=y',
  ])('content-type %s is JSON', async (type) => {
    const { ask } = await open()
    expect((await ask(post(PRICE, { 'content-type': type }))).status).toBe(202)
  })

  test.each<[string, unknown]>([
    ['malformed JSON', '{"event":'],
    ['JSON with something behind it', '{"event":"message","data":"x"} {}'],
    ['no body', ''],
    ['an array', [PRICE]],
    ['null', 'null'],
    ['a number', '1'],
    ['text', '"price"'],
    ['bytes that are no UTF-8', new Uint8Array([...Buffer.from('{"event":"message","data":"'), 0xff, ...Buffer.from('"}')])],
    ['UTF-16', new Uint8Array(Buffer.from(JSON.stringify(PRICE), 'utf16le'))],
    ['no event', { data: price(1) }],
    ['an event that is no text', { ...PRICE, event: 1 }],
    ['an event in an array', { ...PRICE, event: ['price'] }],
    ['a topic that is null', { ...PRICE, topic: null }],
    ['a topic that is a number', { ...PRICE, topic: 1 }],
    ['topics in an array', { ...PRICE, topic: ['BTC'] }],
    ['a member too many', { ...PRICE, topics: ['BTC'] }],
    ['a topic of another case', { ...PRICE, Topic: 'BTC' }],
    ['a member __proto__', '{"event":"price","data":{"symbol":"BTC","usd":1},"__proto__":{"topic":"BTC"}}'],
    ['all in __proto__', '{"__proto__":{"event":"price","data":{"symbol":"BTC","usd":1}}}'],
    ['a member constructor', { ...PRICE, constructor: {} }],
  ])('400 for %s, and nobody is asked or told', async (_name, body) => {
    let asked = 0
    const { ask, emitted, errors } = await open({ authorize: () => ++asked > 0 })
    const response = await ask(post(body))
    expect(response.status).toBe(400)
    await problemOf(response)
    expect([asked, emitted, errors]).toEqual([0, [], []])
  })

  test.each([
    ['returns', (response: Response) => response],
    [
      'throws',
      (response: Response) => {
        throw response
      },
    ],
    ['rejects with', (response: Response) => Promise.reject(response)],
  ])('a Response that authorize %s is the answer', async (_verb, give) => {
    const { ask, emitted, errors } = await open({
      authorize() {
        const headers = new Headers({ 'www-authenticate': 'Bearer', 'content-type': 'text/plain' })
        headers.append('set-cookie', 'a=1')
        headers.append('set-cookie', 'b=2')
        return give(new Response('Who are you?', { status: 401, headers }))
      },
    })
    const response = await ask(post(PRICE))
    expect([response.status, await response.text()]).toEqual([401, 'Who are you?'])
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect([emitted, errors]).toEqual([[], []])
  })

  test.each<[string, unknown]>([
    ['false', false],
    ['nothing', undefined],
    ['null', null],
    ['1', 1],
    ['a text', 'yes'],
    ['an object', { ok: true }],
    ['a promise of false', Promise.resolve(false)],
    ['a promise of nothing', Promise.resolve()],
    ['a promise of an object', Promise.resolve({})],
  ])('403 when authorize gives %s', async (_name, given) => {
    const { ask, emitted } = await open({ authorize: () => given as boolean })
    const response = await ask(post(PRICE))
    expect(response.status).toBe(403)
    await problemOf(response)
    expect(emitted).toEqual([])
  })

  test.each(['GET', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS'])('405 for %s, with Allow', async (method) => {
    const { ask } = await open()
    const response = await ask({ method })
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
    if (method !== 'HEAD') await problemOf(response)
  })

  test('408 for a body that takes too long', async () => {
    const { ask, emitted } = await open({ bodyTimeout: 20 })
    const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new TextEncoder().encode('{"event":')) })
    const response = await ask(post(body))
    expect(response.status).toBe(408)
    await problemOf(response)
    expect(emitted).toEqual([])
  })

  test('413 for a content-length over the limit', async () => {
    const { ask } = await open({ bodyBytes: 100 })
    const body = JSON.stringify({ event: 'message', data: 'x'.repeat(100) })
    const response = await ask(post(body, { 'content-length': String(body.length) }))
    expect(response.status).toBe(413)
    expect((await problemOf(response)).detail).toContain('100 bytes')
  })

  test('413 for a body over the limit that did not say how long it is', async () => {
    const { ask, emitted } = await open({ bodyBytes: 100 })
    const response = await ask(post(chunked('{"event":"message","data":"', 'x'.repeat(100), '"}')))
    expect(response.status).toBe(413)
    await problemOf(response)
    expect(emitted).toEqual([])
  })

  test('a body of exactly the limit is read, one byte more is not', async () => {
    const body = JSON.stringify({ event: 'message', data: 'grüße' })
    const bytes = Buffer.byteLength(body)
    for (const give of [() => body, () => chunked(body)]) {
      expect((await (await open({ bodyBytes: bytes })).ask(post(give()))).status).toBe(202)
      expect((await (await open({ bodyBytes: bytes - 1 })).ask(post(give()))).status).toBe(413)
    }
  })

  test('413 for an event over limits.eventBytes', async () => {
    const emitter = createEmitter(market, { limits: { eventBytes: 100 } })
    const ask = await asking(publishHandler(emitter, EVERYBODY))
    const response = await ask(post({ event: 'message', data: 'x'.repeat(100) }))
    expect(response.status).toBe(413)
    expect(await problemOf(response)).toMatchObject({ code: 'too-large' })
    expect(emitter.stats().emits).toBe(0)
  })

  test.each([
    ['no content-type', new TextEncoder().encode(JSON.stringify(PRICE)), ''],
    ['text', JSON.stringify(PRICE), 'text/plain'],
    ['text that says JSON', JSON.stringify(PRICE), 'text/plain; application/json'],
    ['two types', JSON.stringify(PRICE), 'text/plain, application/json'],
    ['a form', 'event=price', 'application/x-www-form-urlencoded'],
    ['a form of parts', '--x--', 'multipart/form-data; boundary=x'],
    ['a type that begins like JSON', JSON.stringify(PRICE), 'application/jsonp'],
    ['lines of JSON', JSON.stringify(PRICE), 'application/x-ndjson'],
  ])('415 for %s', async (_name, body, type) => {
    const { ask, emitted } = await open()
    const response = await ask({ method: 'POST', body, headers: type ? { 'content-type': type } : {} })
    expect([response.status, response.headers.get('accept')]).toEqual([415, 'application/json'])
    await problemOf(response)
    expect(emitted).toEqual([])
  })

  test.each(['gzip', 'br', 'gzip, identity'])('415 for content-encoding %s', async (encoding) => {
    const { ask } = await open()
    const response = await ask(post(PRICE, { 'content-encoding': encoding }))
    expect([response.status, response.headers.get('accept-encoding')]).toEqual([415, 'identity'])
    await problemOf(response)
  })

  test('422 for an event that the contract does not have', async () => {
    const { ask, errors } = await open()
    const response = await ask(post({ event: 'nope', data: 1 }))
    expect(response.status).toBe(422)
    expect(await problemOf(response)).toMatchObject({ code: 'unknown-event', detail: expect.stringContaining('nope') as string })
    expect(errors).toEqual([])
  })

  test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', '$ready', '$end', 'error', 'message\ndata: x', '\0', '\ud800'])(
    '422 for an event named %j, which no contract gets for free',
    async (event) => {
      const { ask, emitted } = await open()
      const response = await ask(post({ event, data: 'x' }))
      expect(response.status).toBe(422)
      expect(await problemOf(response)).toMatchObject({ code: 'unknown-event' })
      expect(emitted).toEqual([])
    },
  )

  test('422 with what the schema says and where, also deep within', async () => {
    const orders = defineEvents({ order: z.object({ lines: z.array(z.object({ sku: z.string(), sizes: z.array(z.number()) })) }) })
    const ask = await asking(publishHandler(createEmitter(orders), EVERYBODY))
    const data = {
      lines: [
        { sku: 'a', sizes: [1] },
        { sku: 2, sizes: [1, 'x'] },
      ],
    }
    const response = await ask(post({ event: 'order', data }))
    expect(response.status).toBe(422)
    const { code, issues } = await problemOf(response)
    expect(code).toBe('invalid-payload')
    expect(issues?.map(({ path }) => path)).toEqual([
      ['lines', 1, 'sku'],
      ['lines', 1, 'sizes', 1],
    ])
    for (const { message } of issues ?? []) expect(message).toContain('expected')
  })

  test('422 for data that is missing', async () => {
    const { ask } = await open()
    const response = await ask(post({ event: 'price' }))
    expect(response.status).toBe(422)
    expect(await problemOf(response)).toMatchObject({ code: 'invalid-payload', issues: [{ path: [] }] })
  })

  test('422 for half a surrogate pair in raw text, which UTF-8 cannot carry', async () => {
    const { ask, emitted } = await open()
    const response = await ask(post('{"event":"message","data":"\\ud800"}'))
    expect(response.status).toBe(422)
    expect(await problemOf(response)).toMatchObject({ code: 'invalid-message' })
    expect(emitted).toEqual([])
    // Within JSON it is escaped.
    expect((await ask(post('{"event":"price","data":{"symbol":"\\ud800","usd":1}}'))).status).toBe(202)
  })

  test('a path through symbols and path segments is told as names and numbers', async () => {
    const odd: Contract['schemas'][string] = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: () => ({
          issues: [{ message: 'no', path: [{ key: 'a' }, 1, Symbol('s'), { key: Symbol('t') }] }, { message: 'at all' }],
        }),
      },
    }
    const ask = await asking(publishHandler(createEmitter(defineEvents({ odd })), EVERYBODY))
    const { issues } = await problemOf(await ask(post({ event: 'odd', data: 1 })))
    expect(issues).toEqual([
      { message: 'no', path: ['a', 1, 'Symbol(s)', 'Symbol(t)'] },
      { message: 'at all', path: [] },
    ])
  })

  test.each([
    [
      'throws',
      (cause: Error) => {
        throw cause
      },
    ],
    ['rejects', (cause: Error) => Promise.reject(cause)],
  ])('500 that says nothing when authorize %s, and onError hears why', async (_verb, fail) => {
    const cause = new Error('the password of the database is hunter2')
    const { ask, errors, emitted } = await open({ authorize: () => fail(cause) })
    const response = await ask(post(PRICE))
    expect(response.status).toBe(500)
    const answer = JSON.stringify(await problemOf(response))
    expect(answer).not.toMatch(/hunter2|publish\.test|Error:/)
    expect(errors).toMatchObject([{ code: 'hook-failed', cause, message: expect.stringContaining('authorize') as string }])
    expect(emitted).toEqual([])
  })

  test('500 for a schema that does not survive the wire, and onError hears of it', async () => {
    const errors: EventwireError[] = []
    const oneWay = defineEvents({ n: z.string().transform(Number) })
    const ask = await asking(publishHandler(createEmitter(oneWay), { ...EVERYBODY, onError: (error) => void errors.push(error) }))
    const response = await ask(post({ event: 'n', data: '1' }))
    expect(response.status).toBe(500)
    expect((await problemOf(response)).detail).not.toContain('schema')
    expect(errors).toMatchObject([{ code: 'one-way-schema' }])
  })

  test('what a schema throws, where it should have returned issues, is for the application and not for the client', async () => {
    const errors: EventwireError[] = []
    const cause = new Error('connect ECONNREFUSED db.internal')
    const user = z.string().refine(() => {
      throw cause
    })
    const emitter = createEmitter(defineEvents({ user }))
    const ask = await asking(publishHandler(emitter, { ...EVERYBODY, onError: (error) => void errors.push(error) }))
    const response = await ask(post({ event: 'user', data: 'ada' }))
    expect(JSON.stringify(await problemOf(response))).not.toContain('db.internal')
    expect(errors).toMatchObject([{ cause }])
    expect(emitter.stats().emits).toBe(0)
  })

  test('503 with Retry-After once the emitter was closed', async () => {
    const emitter = createEmitter(market)
    const ask = await asking(publishHandler(emitter, EVERYBODY))
    await emitter.close()
    const response = await ask(post(PRICE))
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '1'])
    expect(await problemOf(response)).toMatchObject({ code: 'emitter-closed' })
  })

  test('authorize gets the request and what it asks to publish', async () => {
    const seen: [Request, Publication][] = []
    const { ask } = await open({ authorize: (...given) => seen.push(given) > 0 })
    await ask(post({ ...PRICE, topic: 'BTC' }, { authorization: 'Bearer x', cookie: 'a=b; c=d' }), '?from=here')
    const [[request, publication]] = seen as [[Request, Publication]]
    expect(request).toBeInstanceOf(Request)
    expect([request.method, new URL(request.url).search]).toEqual(['POST', '?from=here'])
    expect([request.headers.get('authorization'), request.headers.get('cookie')]).toEqual(['Bearer x', 'a=b; c=d'])
    expect(publication).toEqual({ event: 'price', data: price(1), topic: 'BTC' })
    await ask(post({ event: 'message', data: 'x' }))
    expect(seen[1]![1]).toEqual({ event: 'message', data: 'x', topic: undefined })
  })

  test('an asynchronous schema keeps the order of the requests', async () => {
    const held = Promise.withResolvers<boolean>()
    const reached = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const { emitted, onEmit } = emittedBy()
    const slow = z.string().refine(() => {
      reached.resolve()
      return held.promise
    })
    const quick = z.string().refine(() => {
      asked.resolve()
      return true
    })
    const ask = await asking(publishHandler(createEmitter(defineEvents({ slow, quick }), { onEmit }), EVERYBODY))
    const first = ask(post({ event: 'slow', data: 'x' }))
    await reached.promise
    const second = ask(post({ event: 'quick', data: 'y' }))
    await asked.promise
    expect(emitted).toEqual([])
    held.resolve(true)
    const ids = [await (await first).json(), await (await second).json()] as { id: string }[]
    expect(ids.map(({ id }) => id.split('-')[1])).toEqual(['1', '2'])
    expect(emitted).toEqual(['slow', 'quick'])
  })

  test('a text of several lines is one event, whatever the lines say', async () => {
    const { emitter, url } = await serveEmitter()
    const ask = await asking(publishHandler(emitter, EVERYBODY))
    const stream = await listen(url)
    await stream.until(({ cursor }) => cursor !== '')
    const data = 'one\n\nevent: price\ndata: {"usd":0}\n\n'
    expect((await ask(post({ event: 'message', data }))).status).toBe(202)
    await stream.until(({ events }) => events.length > 0)
    expect(stream.events).toMatchObject([{ event: 'message', data }])
  })
})

test.each<[string, unknown]>([
  ['no options', {}],
  ['no function', { authorize: true }],
  ['a promise', { authorize: Promise.resolve(true) }],
])('authorize has no default: %s is refused', (_name, options) => {
  const { code, message } = caught(() => publishHandler(createEmitter(market), options as PublishOptions))
  expect([code, message]).toEqual(['invalid-option', expect.stringContaining('authorize')])
})

test.each([
  ['bodyBytes', 0],
  ['bodyBytes', -1],
  ['bodyBytes', NaN],
  ['bodyBytes', 1.5],
  ['bodyBytes', '1mb'],
  ['bodyTimeout', 0],
  ['bodyTimeout', '10s'],
])('%s may not be %s', (option, value) => {
  const { code, message } = caught(() => publishHandler(createEmitter(market), { ...EVERYBODY, [option]: value }))
  expect([code, message]).toEqual(['invalid-option', expect.stringContaining(option)])
})

test('a bodyTimeout beyond what a timer can hold does not end the wait at once', async () => {
  const publish = publishHandler(createEmitter(market), { ...EVERYBODY, bodyTimeout: Infinity })
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      controller.enqueue(new TextEncoder().encode(JSON.stringify(PRICE)))
      controller.close()
    },
  })
  expect((await publish.handle(new Request('http://127.0.0.1/', post(body)))).status).toBe(202)
})

test('a body that breaks off midway is never published', async () => {
  const { emitter } = await serveEmitter()
  let asked = 0
  const publish = publishHandler(emitter, { authorize: () => ++asked > 0 })
  let gone = Promise.withResolvers<void>()
  const { port, url } = await serve((request, response) => {
    response.on('close', () => gone.resolve())
    publish.handleNode(request, response)
  })
  const body = JSON.stringify(PRICE)
  for (const leave of ['destroy', 'end', 'resetAndDestroy'] as const) {
    gone = Promise.withResolvers()
    const raw = await dial(port)
    // All of the JSON, but not all that was announced.
    raw.write(head('POST /events', JSON_TYPE, `content-length: ${body.length + 1}`, 'expect: 100-continue') + body)
    await raw.until('100 Continue')
    raw.socket[leave]()
    await gone.promise
  }
  expect([asked, emitter.stats().emits]).toEqual([0, 0])
  const response = await publish.handle(
    new Request(url, post(new ReadableStream({ pull: (controller) => controller.error(new Error('cut')) }))),
  )
  expect(response.status).toBe(400)
  expect((await problemOf(response)).detail).toContain('broke off')
  expect((await fetch(url, post(PRICE))).status).toBe(202)
})

test('a client that leaves while authorize is deciding disturbs nobody', async () => {
  const errors: EventwireError[] = []
  const asked = Promise.withResolvers<void>()
  const decided = Promise.withResolvers<boolean>()
  const gone = Promise.withResolvers<void>()
  const { emitter } = await serveEmitter()
  const publish = publishHandler(emitter, {
    onError: (error) => void errors.push(error),
    authorize(request) {
      asked.resolve()
      return request.headers.has('x-slow') ? decided.promise : true
    },
  })
  const { url } = await serve((request, response) => {
    response.on('close', () => gone.resolve())
    publish.handleNode(request, response)
  })
  const leaving = new AbortController()
  const answer = fetch(url, { ...post(PRICE, { 'x-slow': '1' }), signal: leaving.signal }).catch(() => 'left')
  await asked.promise
  leaving.abort()
  expect(await answer).toBe('left')
  await gone.promise
  decided.resolve(true)
  expect((await fetch(url, post(PRICE))).status).toBe(202)
  expect(errors).toEqual([])
})

test.each([
  ['too large by its content-length', [JSON_TYPE, 'content-length: 33554432'], 413],
  ['too large on the way', [JSON_TYPE, 'transfer-encoding: chunked'], 413],
  ['no JSON', ['content-length: 33554432'], 415],
])('an upload that is %s is not kept, and whoever sends all of it first can read the answer then', async (_name, fields, status) => {
  const publish = publishHandler(createEmitter(market), { ...EVERYBODY, bodyBytes: 1_000 })
  const { port } = await serve((request, response) => publish.handleNode(request, response))
  const inChunks = fields.includes('transfer-encoding: chunked')
  const piece = Buffer.alloc(1 << 20, 'x')
  const raw = await dial(port)
  const before = heap()
  let most = before
  raw.write(head('POST /events', ...fields))
  for (let i = 0; i < 32; i++) {
    if (inChunks) raw.write('100000\r\n')
    const room = raw.socket.write(piece)
    if (inChunks) raw.write('\r\n')
    if (!room) await Promise.race([new Promise((resolve) => raw.socket.once('drain', resolve)), raw.closed])
    if (i % 8 === 0) most = Math.max(most, heap())
    expect(raw.socket.destroyed).toBe(false)
  }
  if (inChunks) raw.write('0\r\n\r\n')
  expect(most - before).toBeLessThan(16 << 20)
  const body = JSON.stringify(PRICE)
  raw.write(head('POST /events', JSON_TYPE, `content-length: ${body.length}`) + body)
  expect(statusesOf(await raw.until('"id"'))).toEqual([status, 202])
})

test('a body in crumbs takes no more memory than one in a piece', async () => {
  const { emitter } = await serveEmitter()
  const publish = publishHandler(emitter, EVERYBODY)
  const arrived = Promise.withResolvers<Socket>()
  const { port } = await serve((request, response) => {
    arrived.resolve(request.socket)
    publish.handleNode(request, response)
  })
  const raw = await dial(port)
  const start = head('POST /events', JSON_TYPE, 'transfer-encoding: chunked')
  const body = JSON.stringify({ event: 'message', data: 'x'.repeat(200_000) })
  const crumbs = body.slice(0, -1).replaceAll(/./g, '1\r\n$&\r\n')
  raw.write(start)
  const socket = await arrived.promise
  const before = heap()
  raw.write(crumbs)
  while (socket.bytesRead < start.length + crumbs.length) await new Promise(setImmediate)
  await new Promise(setImmediate)
  expect(heap() - before).toBeLessThan(8 << 20)
  raw.write(`1\r\n}\r\n0\r\n\r\n`)
  await raw.until('HTTP/1.1 202 ')
})

test('a connection whose body came too late is closed, and not kept for the rest of it', async () => {
  const publish = publishHandler(createEmitter(market), { ...EVERYBODY, bodyTimeout: 20 })
  const { port } = await serve((request, response) => publish.handleNode(request, response))
  const raw = await dial(port)
  raw.write(`${head('POST /events', JSON_TYPE, 'content-length: 1000')}{`)
  const answer = await raw.until('took more than')
  expect(statusesOf(answer)).toEqual([408])
  expect(answer.toLowerCase()).toContain('connection: close')
  await raw.closed
})

test('an upload over HTTP/2 that never ends does not outlive its refusal, and the session lives on', async () => {
  const publish = publishHandler(createEmitter(market), { ...EVERYBODY, bodyBytes: 1_000, bodyTimeout: 50 })
  const gone = collector<string>()
  const server = createHttp2Server((request, response) => {
    response.on('close', () => gone.take(`${String(request.headers['x-why'])} ${response.stream.rstCode}`))
    publish.handleNode(request, response)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(async () => {
    session.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  const upload = (why: string, headers: Record<string, string>): ClientHttp2Stream =>
    session
      .request({ ':path': '/events', ':method': 'POST', 'content-type': 'application/json', 'x-why': why, ...headers })
      .on('error', () => {})
      .resume()
  const answered = async (stream: ClientHttp2Stream): Promise<number> => {
    const [{ ':status': status }] = (await once(stream, 'response')) as [{ ':status': number }]
    return status
  }

  const drip = upload('late', {})
  drip.write('{')
  // More than the window of a stream holds.
  const flood = upload('large', {})
  flood.write('x'.repeat(4 << 20))
  const form = upload('form', { 'content-type': 'text/plain' })
  form.write('{')
  expect(await Promise.all([drip, flood, form].map(answered))).toEqual([408, 413, 415])
  await gone.reach(3)
  const good = upload('good', {})
  good.end(JSON.stringify(PRICE))
  expect(await answered(good)).toBe(202)
  await gone.reach(4)
  expect(gone.items.sort()).toEqual(['form 0', 'good 0', 'large 0', 'late 0'])
})

describe('behind a framework that has read the body already', () => {
  test('Express with express.json() just works', async () => {
    const { emitter } = await serveEmitter()
    const app = express()
    app.use(express.json(), express.urlencoded())
    const publish = publishHandler(emitter, EVERYBODY)
    app.post('/api/events', (request, response) => publish.handleNode(request, response))
    const { url } = await serve((request, response) => void app(request, response))
    const at = new URL('/api/events', url)
    const response = await fetch(at, post({ ...PRICE, topic: 'BTC' }))
    expect([response.status, await response.json()]).toEqual([202, { id: emitter.stats().log.head }])
    expect((await fetch(at, post([PRICE]))).status).toBe(400)
    expect((await fetch(at, post({ event: 'price', data: {} }))).status).toBe(422)
    const form = await fetch(at, { method: 'POST', body: new URLSearchParams({ event: 'message', data: 'x' }) })
    expect(form.status).toBe(415)
    // What the parser leaves alone is read here.
    expect((await fetch(at, post({ event: 'message', data: 'x' }, { 'content-type': 'application/x+json' }))).status).toBe(202)
    expect(emitter.stats().emits).toBe(2)
  })

  test('a router of Express shows authorize the whole path', async () => {
    const { emitter } = await serveEmitter()
    const seen: string[] = []
    const publish = publishHandler(emitter, { authorize: (request) => seen.push(new URL(request.url).pathname) > 0 })
    const router = express.Router()
    router.post('/events', (request, response) => publish.handleNode(request, response))
    const app = express()
    app.use('/rooms/1', express.json(), router)
    const { url } = await serve((request, response) => void app(request, response))
    expect((await fetch(new URL('/rooms/1/events', url), post(PRICE))).status).toBe(202)
    expect(seen).toEqual(['/rooms/1/events'])
  })

  test('a body that somebody has read and not handed over is a mistake of the server, at once, and onError says which', async () => {
    const errors: EventwireError[] = []
    const publish = publishHandler(createEmitter(market), { ...EVERYBODY, onError: (error) => void errors.push(error) })
    for (const event of ['end', 'close']) {
      const { url } = await serve((request, response) => {
        request.resume().on(event, () => publish.handleNode(request, response))
      })
      expect((await fetch(url, post(PRICE))).status).toBe(500)
    }
    const request = new Request('http://127.0.0.1/', post(PRICE))
    await request.text()
    const response = await publish.handle(request)
    expect(response.status).toBe(500)
    await problemOf(response)
    expect(errors).toHaveLength(3)
    for (const { code, message } of errors) expect([code, message]).toEqual(['invalid-option', expect.stringContaining('{ body }')])
    // Handed over, it is welcome.
    expect((await publish.handle(request, { body: PRICE })).status).toBe(202)
  })

  test('Fastify hands over its body', async () => {
    const { emitter } = await serveEmitter()
    const app = fastify()
    app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
      done(null, Object.fromEntries(new URLSearchParams(String(body))))
    })
    const publish = publishHandler(emitter, EVERYBODY)
    app.post('/events', (request, reply) => {
      reply.hijack()
      publish.handleNode(request.raw, reply.raw, { body: request.body })
    })
    const url = `${await app.listen({ port: 0, host: '127.0.0.1' })}/events`
    onTestFinished(() => app.close())
    const response = await fetch(url, post({ ...PRICE, topic: 'BTC' }))
    expect([response.status, await response.json()]).toEqual([202, { id: emitter.stats().log.head }])
    expect((await fetch(url, post('"price"'))).status).toBe(400)
    expect((await fetch(url, post({ event: 'price', data: {} }))).status).toBe(422)
    expect(emitter.stats().emits).toBe(1)
    // Pages of any origin may post forms: what a parser makes of one is no JSON.
    const form = await fetch(url, { method: 'POST', body: new URLSearchParams({ event: 'message', data: 'x' }) })
    expect(form.status).toBe(415)
    expect(emitter.stats().emits).toBe(1)
  })
})
