import { describe, expect, onTestFinished, test } from 'vitest'
import type { EventwireError } from 'eventwire'
import { createEmitter, streamEvents, type ConnectDetails, type EmitterOptions, type EmitterStats } from 'eventwire/server'
import { ASKS, type Ask } from '../support/ask.ts'
import { caught } from '../support/caught.ts'
import { serveEmitter } from '../support/emitter.ts'
import { collect, listen, type Listening } from '../support/listen.ts'
import { market, type Market } from '../support/market.ts'
import { dial, head } from '../support/raw.ts'
import { serve } from '../support/serve.ts'
import { WAYS } from '../support/ways.ts'

interface Opened {
  readonly ask: Ask
  readonly stats: () => EmitterStats
  /** Opens a stream, up to its first bytes. */
  stream(init?: RequestInit): Promise<Listening>
  /** Waits until `count` connections are gone. */
  gone(count: number): Promise<void>
}

/** The time to wait, of a refusal. */
function retryAfter(response: Response): number {
  return Number(response.headers.get('retry-after'))
}

describe.each(ASKS)('%s', (_, asking) => {
  async function open(options: EmitterOptions<Market>): Promise<Opened> {
    let left = 0
    let wake = Promise.withResolvers<void>()
    const emitter = createEmitter(market, {
      ...options,
      onDisconnect() {
        left++
        wake.resolve()
        wake = Promise.withResolvers()
      },
    })
    onTestFinished(() => emitter.close())
    const ask = await asking(emitter)
    return {
      ask,
      stats: () => emitter.stats(),
      async stream(init = {}) {
        const controller = new AbortController()
        onTestFinished(() => controller.abort())
        const stream = collect(await ask({ ...init, signal: controller.signal }), () => controller.abort())
        await stream.until(({ cursor }) => cursor !== '')
        return stream
      },
      async gone(count) {
        while (left < count) await wake.promise
      },
    }
  }

  test('more connections than the limit are answered 503 with a time to wait, until one has left', async () => {
    const { ask, stream, gone, stats } = await open({ limits: { connections: 2 } })
    const first = await stream()
    await stream()
    for (let i = 0; i < 10; i++) {
      const refused = await ask()
      expect([refused.status, refused.headers.get('content-type')]).toEqual([503, 'text/plain; charset=utf-8'])
      expect(retryAfter(refused)).toBeGreaterThanOrEqual(5)
      expect(retryAfter(refused)).toBeLessThanOrEqual(15)
      expect(await refused.text()).toContain('Try again')
    }
    first.leave()
    await gone(1)
    await stream()
    expect(stats()).toMatchObject({ connections: 2, refusals: { 503: 10 } })
  })

  test('a limit of 0 lets nobody in', async () => {
    const { ask } = await open({ limits: { connections: 0 } })
    expect((await ask()).status).toBe(503)
  })

  test('the place of a stream that the server ended is free again', async () => {
    const { stream, gone } = await open({ limits: { connections: 1 }, onConnect: (connection) => connection.close() })
    for (let i = 1; i <= 5; i++) {
      await (
        await stream()
      ).ended
      await gone(i)
    }
  })

  test('those who wait for connect hold a place, and give it back when they are refused', async () => {
    let decide = Promise.withResolvers<Response | undefined>()
    let asked = Promise.withResolvers<void>()
    const { ask, stream } = await open({
      onError() {},
      limits: { connections: 1 },
      connect() {
        asked.resolve()
        return decide.promise
      },
    })
    const waiting = ask()
    await asked.promise
    expect((await ask()).status).toBe(503)
    decide.resolve(new Response(null, { status: 401 }))
    expect((await waiting).status).toBe(401)
    decide = Promise.withResolvers()
    asked = Promise.withResolvers()
    const failing = ask()
    await asked.promise
    decide.reject(new Error('no database'))
    expect((await failing).status).toBe(500)
    decide = Promise.withResolvers()
    decide.resolve(undefined)
    await stream()
  })

  test('HEAD holds no place, and is refused like GET when there is none', async () => {
    const { ask, stream } = await open({ limits: { connections: 1 } })
    for (let i = 0; i < 3; i++) expect((await ask({ method: 'HEAD' })).status).toBe(200)
    await stream()
    const refused = await ask({ method: 'HEAD' })
    expect(refused.status).toBe(503)
    expect(retryAfter(refused)).toBeGreaterThanOrEqual(5)
  })

  test('refusals of every kind hold no place', async () => {
    const { ask, stream } = await open({ limits: { connections: 1, topics: 1, headerBytes: 1_000 } })
    expect((await ask({ method: 'POST' })).status).toBe(405)
    expect((await ask({ headers: { 'x-large': 'x'.repeat(1_000) } })).status).toBe(431)
    await stream()
  })

  test('more connections of one key than its limit are answered 429, whatever others do', async () => {
    const key = (request: Request): string | undefined => request.headers.get('x-user') ?? undefined
    const { ask, stream, gone, stats } = await open({ limits: { perKey: { connections: 2, key } } })
    const ada = { headers: { 'x-user': 'ada' } }
    const first = await stream(ada)
    await stream(ada)
    const refused = await ask(ada)
    expect([refused.status, await refused.text()]).toEqual([429, expect.stringContaining('2 event streams')])
    expect(retryAfter(refused)).toBeGreaterThanOrEqual(5)
    expect(retryAfter(refused)).toBeLessThanOrEqual(15)
    await stream({ headers: { 'x-user': 'bob' } })
    // Without a key nobody is counted.
    for (let i = 0; i < 4; i++) await stream()
    first.leave()
    await gone(1)
    await stream(ada)
    expect(stats()).toMatchObject({ connections: 7, refusals: { 429: 1 } })
  })

  test.each(['__proto__', 'constructor', 'toString', ''])('a key %j is one like any other', async (user) => {
    const { ask, stream } = await open({ limits: { perKey: { connections: 1, key: () => user } } })
    await stream()
    expect((await ask()).status).toBe(429)
  })

  test('the limit of all comes before that of one', async () => {
    const { ask, stream } = await open({ limits: { connections: 1, perKey: { connections: 1, key: () => 'ada' } } })
    await stream()
    expect((await ask()).status).toBe(503)
  })

  test('a key function that throws is a 500 that says nothing, and onError hears which function it was', async () => {
    const errors: EventwireError[] = []
    const cause = new Error('the password is hunter2')
    const { ask, stats } = await open({
      onError: (error) => void errors.push(error),
      limits: {
        connections: 1,
        perKey: {
          connections: 1,
          key() {
            throw cause
          },
        },
      },
    })
    for (let i = 0; i < 2; i++) {
      const response = await ask()
      expect([response.status, await response.text()]).toEqual([500, 'The server could not open this event stream.'])
    }
    expect(errors).toMatchObject([
      { code: 'hook-failed', cause },
      { code: 'hook-failed', cause },
    ])
    expect(errors[0]!.message).toContain('perKey')
    expect(stats().refusals).toEqual({ 500: 2 })
  })

  test.each<[string, () => unknown]>([
    ['a promise', () => Promise.resolve('ada')],
    ['a promise that rejects', () => Promise.reject(new Error('no database'))],
    ['null', () => null],
    ['a number', () => 1],
  ])('%s as a key, which the types forbid, is a 500 and no way around the limit', async (_name, key) => {
    const errors: EventwireError[] = []
    const { ask } = await open({
      onError: (error) => void errors.push(error),
      limits: { perKey: { connections: 1, key: key as () => string } },
    })
    expect((await ask()).status).toBe(500)
    expect(errors).toMatchObject([{ code: 'hook-failed' }])
  })

  test('more headers than limits.headerBytes, address included, are answered 431', async () => {
    const { ask, stream, stats } = await open({ limits: { headerBytes: 2_000 } })
    await stream({ headers: { 'x-fits': 'x'.repeat(1_500) } })
    for (const [init, query] of [[{ headers: { 'x-large': 'x'.repeat(2_000) } }], [{}, `?${'x'.repeat(2_000)}`]] as const) {
      const refused = await ask(init, query)
      expect([refused.status, await refused.text()]).toEqual([431, expect.stringContaining('2000 bytes')])
    }
    expect(stats().refusals).toEqual({ 431: 2 })
  })

  test('a cursor longer than limits.cursorBytes is malformed, whatever it says, and is told in short', async () => {
    const { ask } = await open({ limits: { cursorBytes: 160 } })
    const short = `${'a'.repeat(100)}-1`
    const long = `${'a'.repeat(300)}-1`
    for (const [cursor, reason] of [
      [short, 'epoch'],
      [long, 'malformed'],
    ] as const) {
      for (const stream of [await ask({ headers: { 'last-event-id': cursor } }), await ask({}, `?lastEventId=${cursor}`)]) {
        const reader = collect(stream, () => {})
        await reader.until(({ gaps }) => gaps.length === 1)
        expect(reader.gaps).toEqual([{ reason, requested: cursor.slice(0, 256), oldest: '' }])
      }
    }
  })

  test('refusals are counted by status, those of connect too', async () => {
    const { ask, stats } = await open({
      onError() {},
      connect(request) {
        const status = Number(request.headers.get('x-status'))
        if (status === 500) throw new Error('no database')
        return new Response(null, { status })
      },
    })
    for (const status of [401, 403, 403, 418, 500, 204, 302]) {
      const response = await ask({ headers: { 'x-status': String(status) }, redirect: 'manual' })
      expect(response.status).toBe(status)
    }
    await ask({ method: 'DELETE' })
    // An answer below 400 refuses nothing.
    expect(stats().refusals).toEqual({ 401: 1, 403: 2, 405: 1, 418: 1, 500: 1 })
  })

  test('a refusal because cors.origins is broken is counted too', async () => {
    const { ask, stats } = await open({
      onError() {},
      cors: {
        origins: () => {
          throw new Error('no database')
        },
      },
    })
    expect((await ask({ headers: { origin: 'https://a.example' } })).status).toBe(500)
    expect(stats().refusals).toEqual({ 500: 1 })
  })

  test('streams of one request each have the same limits', async () => {
    const streams = streamEvents(
      market,
      { limits: { connections: 2, perKey: { connections: 1, key: (request) => request.headers.get('x-user') ?? undefined } } },
      async function* ({ signal }) {
        yield { event: 'message', data: 'hello' }
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
    )
    onTestFinished(() => streams.close())
    const ask = await asking(streams)
    const leaving = new AbortController()
    const ada = collect(await ask({ headers: { 'x-user': 'ada' }, signal: leaving.signal }), () => {})
    await ada.until(({ events }) => events.length === 1)
    expect((await ask({ method: 'POST', headers: { 'x-user': 'ada' } })).status).toBe(429)
    const bob = collect(await ask({ method: 'POST', headers: { 'x-user': 'bob' } }), () => {})
    await bob.until(({ events }) => events.length === 1)
    expect((await ask()).status).toBe(503)
    leaving.abort()
    await ada.ended
    while (streams.connections > 1) await new Promise(setImmediate)
    const again = collect(await ask({ headers: { 'x-user': 'ada' } }), () => {})
    await again.until(({ events }) => events.length === 1)
  })
})

describe.each(WAYS)('with %s on a real server', (_, listener) => {
  test('a client that leaves while connect hangs frees its place, and is counted as one that left', async () => {
    let asked = Promise.withResolvers<void>()
    const emitter = createEmitter(market, {
      limits: { connections: 1, perKey: { connections: 1, key: () => 'one' } },
      connect(request) {
        asked.resolve()
        return request.headers.has('x-hang') ? new Promise<undefined>(() => {}) : undefined
      },
    })
    onTestFinished(() => emitter.close())
    const { port, url } = await serve(listener(emitter))
    for (let i = 0; i < 3; i++) {
      asked = Promise.withResolvers()
      const raw = await dial(port)
      raw.write(head('GET /events', 'x-hang: 1'))
      await asked.promise
      raw.socket.resetAndDestroy()
      // Nothing tells of it but the place.
      while ((await fetch(url, { method: 'HEAD' })).status === 503) await new Promise(setImmediate)
    }
    const stream = await listen(url)
    await stream.until(({ cursor }) => cursor !== '')
    expect(emitter.stats().refusals).toMatchObject({ 499: 3 })
  })
})

test('a web response that is never read holds no place; one that is read too late ends at once', async () => {
  const emitter = createEmitter(market, { limits: { connections: 1 } })
  const ask = (): Promise<Response> => emitter.handle(new Request('http://127.0.0.1/events'))
  const [unread, read, late] = [await ask(), await ask(), await ask()]
  expect([unread.status, read.status, late.status]).toEqual([200, 200, 200])
  const reader = read.body!.getReader()
  await reader.read()
  expect((await ask()).status).toBe(503)
  expect(await late.text()).toBe('')
  expect(emitter.stats().connections).toBe(1)
  await reader.cancel()
  const next = (await ask()).body!.getReader()
  expect((await next.read()).done).toBe(false)
  await next.cancel()
  await unread.body!.cancel()
})

test('clients are told apart by their address', async () => {
  const seen: ConnectDetails[] = []
  const key = (_request: Request, details: ConnectDetails): string | undefined => {
    seen.push(details)
    return details.address
  }
  const { url, connected } = await serveEmitter({ limits: { perKey: { connections: 1, key } } })
  const stream = await listen(`${url}?topic=BTC`)
  await connected(1)
  expect((await fetch(url)).status).toBe(429)
  expect(seen).toEqual([
    { topics: ['BTC'], address: '127.0.0.1' },
    { topics: undefined, address: '127.0.0.1' },
  ])
  stream.leave()
  await connected(0)
  await listen(url)
  await connected(1)
})

test('a thousand clients that are turned away leave no key behind', async () => {
  let user = 0
  const { url, emitter } = await serveEmitter({
    limits: { perKey: { connections: 1, key: () => `user ${user++}` } },
    connect: () => new Response(null, { status: 403 }),
  })
  for (let i = 0; i < 20; i++) {
    const statuses = await Promise.all(Array.from({ length: 50 }, async () => (await fetch(url)).status))
    expect(new Set(statuses)).toEqual(new Set([403]))
  }
  expect(emitter.stats()).toMatchObject({ connections: 0, refusals: { 403: 1_000 } })
})

test('more topics than limits.topics are answered 400, from the request and from connect', async () => {
  const { url, emitter } = await serveEmitter({ limits: { topics: 3 } })
  const ask = (count: number): string => `${url}?${Array.from({ length: count }, (_, i) => `topic=${i}`).join('&')}`
  await listen(ask(3))
  // The same one again is one.
  await listen(`${ask(3)}&topic=0&topic=1`)
  const refused = await fetch(ask(4))
  expect([refused.status, await refused.text()]).toEqual([400, expect.stringContaining('3 topics')])
  expect(emitter.stats().refusals).toEqual({ 400: 1 })

  const greedy = createEmitter(market, { limits: { topics: 1 }, connect: () => ({ topics: ['a', 'b'] }) })
  expect((await greedy.handle(new Request(url))).status).toBe(400)
  const all = createEmitter(market, { limits: { topics: 0 } })
  const everything = await all.handle(new Request(url), { topics: '*' })
  expect(everything.status).toBe(200)
  await everything.body?.cancel()
})

test('an event over limits.eventBytes is refused where it is made, and nobody hears of it', async () => {
  const errors: EventwireError[] = []
  const { url, emitter, connections, connected } = await serveEmitter({
    limits: { eventBytes: 100 },
    onError: (error) => void errors.push(error),
  })
  const stream = await listen(url)
  await connected(1)
  const [connection] = connections
  // Name and data together, in bytes of UTF-8.
  const fits = 'ü'.repeat(46) + 'x'
  await expect(emitter.emit('message', `${fits}x`)).rejects.toMatchObject({ code: 'too-large', event: 'message' })
  await expect(connection!.send('message', `${fits}x`)).rejects.toMatchObject({ code: 'too-large', event: 'message' })
  await emitter.emit('message', fits)
  await stream.until(({ events }) => events.length === 1)
  expect(stream.events[0]!.data).toBe(fits)
  expect(errors).toEqual([])
})

test.each<[string, unknown]>([
  ['connections', -1],
  ['connections', 1.5],
  ['connections', NaN],
  ['connections', '10'],
  ['perKey', { connections: -1, key: () => 'x' }],
  ['perKey', { connections: '1', key: () => 'x' }],
  ['perKey', { connections: 1 }],
  ['perKey', { connections: 1, key: 'x-user' }],
  ['perKey', { key: () => 'x' }],
  ['topics', -1],
  ['topics', NaN],
  ['eventBytes', 0],
  ['eventBytes', '1mb'],
  ['cursorBytes', 159],
  ['cursorBytes', -1],
  ['headerBytes', 0],
  ['headerBytes', true],
])('limits.%s may not be %o', (name, value) => {
  const limits = { [name]: value }
  for (const make of [() => createEmitter(market, { limits }), () => streamEvents(market, { limits }, () => [])]) {
    const { code, message } = caught(make)
    expect([code, message]).toEqual(['invalid-option', expect.stringContaining(name)])
  }
})

test('Infinity takes every limit away', async () => {
  const limits = { connections: Infinity, topics: Infinity, eventBytes: Infinity, cursorBytes: Infinity, headerBytes: Infinity }
  const emitter = createEmitter(market, { limits })
  const request = new Request(`http://127.0.0.1/?${'x'.repeat(100_000)}`, { headers: { 'last-event-id': 'x'.repeat(100_000) } })
  const response = await emitter.handle(request, { topics: Array.from({ length: 10_000 }, (_, i) => String(i)) })
  expect(response.status).toBe(200)
  await response.body?.cancel()
  await emitter.emit('message', 'x'.repeat(2 << 20))
})
