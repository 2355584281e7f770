import { expect, onTestFinished, test, vi } from 'vitest'
import { defineEvents, text } from 'eventwire'
import { createSubscriber, onDemand } from 'eventwire/client'
import { memoryLog, streamEvents, type EmitterOptions } from 'eventwire/server'
import { createTestServer, installClock, record, type Clock, type TestEmitterServer } from 'eventwire/testing'
import { caught } from '../support/caught.ts'
import { market, price, type Market } from '../support/market.ts'

/** A test server that ends with the test. */
function open(options?: EmitterOptions<Market>): TestEmitterServer<Market> {
  const server = createTestServer(market, options)
  onTestFinished(() => server.close())
  return server
}

/** A clock that ends with the test, behind the servers that are opened later. */
function stopTime(): Clock {
  const clock = installClock()
  onTestFinished(() => clock.uninstall())
  return clock
}

/** Takes longer than it takes to find that nothing moves. */
function later<T>(value: T): Promise<T> {
  return new Promise((resolve) => void setTimeout(resolve, 30, value))
}

/** A contract with a schema that looks something up. */
const slow = defineEvents({
  price: { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => later({ value: value as number }) } },
})

/** What a promise rejects with. */
const rejected = (promise: Promise<unknown>): Promise<Error> =>
  promise.then(
    () => Promise.reject(new Error('It did not reject.')),
    (error: Error) => error,
  )

test('settled waits until asynchronous handlers have finished with all that was emitted', async () => {
  const server = open()
  const finished: number[] = []
  server.subscribe().on('price', async ({ usd }) => {
    await later(usd)
    finished.push(usd)
  })
  await server.settled()
  for (const usd of [1, 2, 3]) await server.emitter.emit('price', price(usd))
  await server.settled()
  expect(finished).toEqual([1, 2, 3])
})

test('settled waits for requests that the server takes its time with', async () => {
  const server = open({ connect: () => later({}) })
  const stream = server.subscribe()
  stream.on('price', () => {})
  await server.settled()
  expect(stream.status.state).toBe('open')
})

test('settled waits for asynchronous schemas, those of emits that nobody awaits too', async () => {
  const server = createTestServer(slow)
  onTestFinished(() => server.close())
  const heard = record(server.subscribe())
  await server.settled()
  void server.emitter.emit('price', 1)
  await server.settled()
  expect(heard.events).toMatchObject([{ data: 1 }])
  await server.emitter.emit('price', 2)
  await server.settled()
  expect(heard.events).toMatchObject([{ data: 1 }, { data: 2 }])
})

test('settled waits for emits that nobody awaits, where the log is slow', async () => {
  const log = memoryLog()
  const { append } = log
  const server = open({
    log: Object.assign(log, { append: async (it: Parameters<typeof append>[0]) => append.call(log, await later(it)) }),
  })
  const heard = record(server.subscribe())
  await server.settled()
  void server.emitter.emit('price', price(1))
  await server.settled()
  expect(heard.events).toMatchObject([{ data: price(1) }])
})

test('an emit that nobody awaits and that fails goes to onError, as ever', async () => {
  const onError = vi.fn<(error: Error) => void>()
  const server = open({ onError })
  void server.emitter.emit('price', { usd: 'many' } as never)
  await server.settled()
  expect(onError).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ code: 'invalid-payload' }))
})

test('settled waits for snapshots, and for their asynchronous schemas', async () => {
  const server = createTestServer(slow, {
    async *snapshot() {
      for (const data of [1, 2]) yield { event: 'price', data: await later(data) }
    },
  })
  onTestFinished(() => server.close())
  const heard = record(server.subscribe())
  await server.settled()
  expect(heard.events).toMatchObject([{ data: 1 }, { data: 2 }])

  const promised = open({ snapshot: () => later([{ event: 'price', data: price(1) }]) })
  const told = record(promised.subscribe())
  await promised.settled()
  expect(told.events).toMatchObject([{ data: price(1) }])
})

test('settled does not wait for snapshots whose client is gone or takes nothing, and those are told that it is', async () => {
  const returned = vi.fn<() => Promise<{ done: true; value: undefined }>>(async () => ({ done: true, value: undefined }))
  const server = open({ snapshot: () => ({ [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}), return: returned }) }) })
  record(server.subscribe())
  const settled = server.settled()
  await vi.waitFor(() => expect(server.emitter.stats().connections).toBe(1))
  server.cut()
  await settled
  expect(returned).toHaveBeenCalledOnce()

  let asked = 0
  const endless = open({
    highWaterMark: 1,
    async *snapshot() {
      for (;;) yield { event: 'price', data: price(asked++) }
    },
  })
  endless.stall()
  record(endless.subscribe())
  await endless.settled()
  expect(asked).toBeGreaterThan(0)
})

test('settled waits for what a subscriber asks of its options', async () => {
  const server = createTestServer(market, async (request) => {
    if (request.headers.get('authorization') !== 'renewed') return new Response(null, { status: 401 })
    return new Response(`id: 8\ndata: ${request.url} ${request.headers.get('last-event-id')} ${await request.text()}\n\n`, {
      headers: { 'content-type': 'text/event-stream' },
    })
  })
  onTestFinished(() => server.close())
  let authorization = 'old'
  const heard = record(
    server.subscribe({
      url: () => later('/slow'),
      headers: () => later({ authorization }),
      body: () => later('body'),
      cursor: { load: () => later('7'), save: () => {} },
      onUnauthorized: async () => void (authorization = await later('renewed')),
      shouldRetry: () => later(false),
    }),
  )
  await server.settled()
  expect(heard.events).toMatchObject([{ data: 'http://localhost/slow 7 body' }])
  expect(heard.statuses.at(-1)).toMatchObject({ state: 'closed', reason: 'fatal' })
})

test('settled waits until the cursor is saved', async () => {
  const server = open()
  const saved: string[] = []
  record(server.subscribe({ cursor: { load: () => null, save: async (id) => saved.push(await later(id)) } }))
  await server.settled()
  const id = await server.emitter.emit('price', price(1))
  await server.settled()
  expect(saved.at(-1)).toBe(id)
})

test('a loop that asks for two events at once has finished when it asks for a third, or returns', async () => {
  const server = open()
  const loops = [server.subscribe().events('message'), server.subscribe().events('message')] as const
  const both = loops.flatMap((loop) => [loop.next(), loop.next()])
  await server.settled()
  await server.emitter.emit('message', 'one')
  await server.emitter.emit('message', 'two')
  await Promise.all(both)
  const third = loops[0].next()
  await loops[1].return?.()
  await server.settled()
  await server.emitter.emit('message', 'three')
  expect(await third).toMatchObject({ value: { data: 'three' } })
})

test('settled says after three seconds which handler, loop, option, emit or request is not finished', async () => {
  const log = memoryLog()
  const { append } = log
  const stuckLog = Object.assign(log, {
    append: (it: Parameters<typeof append>[0]) => (it.event === 'halted' ? new Promise<string>(() => {}) : append.call(log, it)),
  })
  const server = open({ log: stuckLog, connect: ({ url }) => (url.endsWith('never') ? new Promise(() => {}) : {}) })
  const stuck = server.subscribe()
  stuck.on('price', () => new Promise(() => {}))
  const loop = server.subscribe().events('message')
  const first = loop.next()
  await server.settled()
  const id = await server.emitter.emit('price', price(1))
  const second = await server.emitter.emit('message', 'one')
  await first
  void server.fetch('/never').catch(() => {})
  void server.emitter.emit('halted', { symbol: 'BTC', reason: 'late' })
  record(server.subscribe({ headers: () => new Promise(() => {}) }))
  const error = await rejected(server.settled())
  expect(error).toMatchObject({ code: 'timeout' })
  expect(error.message).toContain('GET http://localhost/never has not been answered.')
  expect(error.message).toContain('An emit of event "halted" has not finished.')
  expect(error.message).toContain('The option headers of a subscriber has not finished.')
  expect(error.message).toContain(`A handler has not finished with event "price" (id ${id}).`)
  expect(error.message).toContain(`A loop has not asked for what follows event "message" (id ${second}).`)
})

test('settled does not wait for what nobody waits for: events without a handler, closed subscribers, handlers that threw', async () => {
  const server = open()
  const stream = server.subscribe()
  const off = stream.on('price', () => {})
  const closed = server.subscribe()
  closed.on('price', () => new Promise(() => {}))
  const failing = server.subscribe()
  const heard = record(failing)
  failing.on('price', () => Promise.reject(new Error('no')))
  await server.settled()
  await server.emitter.emit('price', price(1))
  // Of no meaning but that the handlers have begun.
  await vi.waitFor(() => expect(heard.events).toHaveLength(1))
  closed.close()
  off()
  await server.emitter.emit('price', price(2))
  await server.settled()
  expect(heard.errors.map(({ code }) => code)).toEqual(['handler-failed', 'handler-failed'])
})

test('the promise of a handler is asked once, as there are some that do their work anew each time', async () => {
  const server = open()
  const promise = Promise.resolve()
  const asked = vi.spyOn(promise, 'then')
  server.subscribe().on('price', () => promise)
  await server.settled()
  await server.emitter.emit('price', price(1))
  await server.settled()
  expect(asked).toHaveBeenCalledOnce()
})

test('a subscriber that was cut in mid-event hears that event once, whole', async () => {
  const clock = stopTime()
  const server = open()
  const stream = server.subscribe()
  const heard = record(stream)
  await server.settled()
  server.cut({ afterBytes: 30 })
  await server.emitter.emit('message', 'a text that is longer than what gets through')
  await server.settled()
  expect(stream.status).toMatchObject({ state: 'connecting', error: { code: 'network' } })
  expect(heard.events).toEqual([])
  await clock.advance('2s')
  expect(heard.events).toMatchObject([{ data: 'a text that is longer than what gets through' }])
  expect(stream.status).toMatchObject({ state: 'open', resumed: true, replayed: 1 })
})

test('bytes that get through before a cut are counted exactly', async () => {
  const server = createTestServer(market, () => new Response(new TextEncoder().encode('data: 1\n\ndata: 2\n\n')))
  onTestFinished(() => server.close())
  const reader = (await server.fetch('/')).body!.getReader()
  server.cut({ afterBytes: 9 })
  expect(new TextDecoder().decode((await reader.read()).value)).toBe('data: 1\n\n')
  await expect(reader.read()).rejects.toThrow('terminated')
})

test('both ends hear of a cut: the stream breaks, and the request of the server is aborted', async () => {
  const server = open()
  const stream = server.subscribe()
  record(stream)
  await server.settled()
  expect(server.connections).toBe(1)
  expect(server.emitter.stats().connections).toBe(1)
  server.cut()
  expect(server.connections).toBe(0)
  expect(server.emitter.stats().connections).toBe(0)

  let request: Request | undefined
  const endpoint = createTestServer(market, (it) => {
    request = it
    return new Response(new ReadableStream())
  })
  onTestFinished(() => endpoint.close())
  await endpoint.fetch('/')
  expect(request?.signal.aborted).toBe(false)
  endpoint.cut()
  expect(request?.signal.aborted).toBe(true)
})

test('a request under way fails at once when the network is cut, and its server hears of it', async () => {
  const asked = Promise.withResolvers<AbortSignal>()
  const server = open({
    connect({ signal }) {
      asked.resolve(signal)
      return new Promise(() => {})
    },
  })
  const answer = rejected(server.fetch('/events'))
  const signal = await asked.promise
  server.cut()
  expect(await answer).toMatchObject({ message: 'fetch failed', cause: { message: 'The test cut the connection.' } })
  expect(signal.aborted).toBe(true)
})

test('offline, no attempt gets through; when it is restored the next one does, and nothing was missed', async () => {
  const clock = stopTime()
  const server = open()
  const stream = server.subscribe()
  const heard = record(stream)
  await server.settled()
  server.offline()
  await server.emitter.emit('price', price(1))
  await clock.advance('2m')
  expect(heard.events).toEqual([])
  expect(stream.status).toMatchObject({ state: 'connecting', error: { code: 'network' } })
  server.restore()
  await clock.advance('30s')
  expect(heard.events).toMatchObject([{ data: price(1) }])
  expect(heard.gaps).toEqual([])
})

test('a refusal has its status and headers: who is told to wait for a minute does', async () => {
  const clock = stopTime()
  const server = open()
  server.refuse(new Response('slowly', { status: 429, headers: { 'retry-after': '60' } }))
  const stream = server.subscribe()
  record(stream)
  await server.settled()
  expect(stream.status).toMatchObject({ state: 'connecting', error: { code: 'bad-status', status: 429, body: 'slowly' } })
  server.restore()
  await clock.advance('59s')
  expect(stream.status.state).toBe('connecting')
  await clock.advance('2s')
  expect(stream.status.state).toBe('open')
})

test('a refusal leaves open streams as they are, and can be given again and again', async () => {
  const server = open()
  const stream = server.subscribe()
  record(stream)
  await server.settled()
  server.refuse(new Response('no', { status: 403 }))
  expect(await Promise.all([server.fetch('/a'), server.fetch('/b')].map(async (it) => (await it).text()))).toEqual(['no', 'no'])
  expect(stream.status.state).toBe('open')
})

test('a client that takes nothing is real backpressure: the server ends it after stallTimeout', async () => {
  const clock = stopTime()
  const gone = vi.fn<() => void>()
  const server = open({ highWaterMark: 1, stallTimeout: 20_000, heartbeat: 10_000, onDisconnect: gone })
  record(server.subscribe())
  await server.settled()
  server.stall()
  for (let usd = 0; usd < 3; usd++) {
    await server.emitter.emit('price', price(usd))
    await server.settled()
  }
  await clock.advance('19s')
  expect(gone).not.toHaveBeenCalled()
  await clock.advance('11s')
  expect(gone).toHaveBeenCalledOnce()
})

test('what was held comes in order when it is restored', async () => {
  const server = open()
  const heard = record(server.subscribe())
  await server.settled()
  server.stall()
  for (let usd = 0; usd < 5; usd++) await server.emitter.emit('price', price(usd))
  await server.settled()
  expect(heard.events).toEqual([])
  server.restore()
  await server.settled()
  expect(heard.events.map(({ data }) => data)).toEqual([0, 1, 2, 3, 4].map((usd) => price(usd)))
})

test('a gap reaches who is connected at once, and who is away when it comes back', async () => {
  const clock = stopTime()
  const server = open()
  const heard = record(server.subscribe())
  await server.settled()
  await server.emitter.emit('price', price(1))
  await server.settled()
  server.gap()
  await server.settled()
  expect(heard.gaps).toMatchObject([{ reason: 'epoch' }])
  server.cut()
  server.gap()
  await clock.advance('2s')
  expect(heard.gaps).toMatchObject([{ reason: 'epoch' }, { reason: 'epoch' }])
  await server.emitter.emit('price', price(2))
  await server.settled()
  expect(heard.events.map(({ data }) => data)).toEqual([price(1), price(2)])
})

test('the emitter has the options that it was given, its history among them', async () => {
  const clock = stopTime()
  const server = open({ history: { events: 2 }, *snapshot() {}, topics: ['BTC'] })
  const heard = record(server.subscribe())
  await server.settled()
  await server.emitter.emit('price', price(0), { topic: 'ETH' })
  server.cut()
  for (let usd = 1; usd <= 3; usd++) await server.emitter.emit('price', price(usd), { topic: 'BTC' })
  await clock.advance('2s')
  expect(heard.gaps).toMatchObject([{ reason: 'evicted' }])
  await server.emitter.emit('price', price(4), { topic: 'BTC' })
  await server.settled()
  expect(heard.events.map(({ data }) => data)).toEqual([price(4)])
})

test('an endpoint gets the url, headers and body that the subscriber sends, and may be a stream of its own', async () => {
  const answer = defineEvents({ token: text() })
  const answers = streamEvents(answer, async function* ({ request }) {
    for (const token of [request.url, request.headers.get('x-user') ?? '', await request.text()]) yield { event: 'token', data: token }
  })
  const server = createTestServer(answer, (request) => answers.handle(request))
  onTestFinished(() => server.close())
  const stream = server.subscribe({ url: '/answers?n=1', headers: { 'x-user': 'kim' }, body: 'Why?' })
  const heard = record(stream)
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(heard.events.map(({ data }) => data)).toEqual(['http://localhost/answers?n=1', 'kim', 'Why?'])
})

test('two test servers before one emitter have faults of their own', async () => {
  const first = open()
  const second = createTestServer(market, (request) => first.emitter.handle(request))
  onTestFinished(() => second.close())
  const [one, two] = [record(first.subscribe()), record(second.subscribe())]
  await Promise.all([first.settled(), second.settled()])
  second.offline()
  await first.emitter.emit('message', 'hello')
  await first.settled()
  expect(one.events).toMatchObject([{ data: 'hello' }])
  expect(two.events).toEqual([])
})

test('an endpoint that throws is an answer of 500, and says so on the console', async () => {
  const said = vi.spyOn(console, 'error').mockImplementation(() => {})
  onTestFinished(() => said.mockRestore())
  const fault = new Error('broken')
  const server = createTestServer(market, () => {
    throw fault
  })
  onTestFinished(() => server.close())
  expect((await server.fetch('/')).status).toBe(500)
  expect(said).toHaveBeenCalledWith(fault)
})

test('fetch is as the global one: with a URL or a Request, and a signal that ends the stream', async () => {
  const server = createTestServer(market, ({ url }) => new Response(url))
  onTestFinished(() => server.close())
  const texts = [server.fetch('/a'), server.fetch(new URL('https://example.com/b')), server.fetch(new Request('https://example.com/c'))]
  expect(await Promise.all(texts.map(async (it) => (await it).text()))).toEqual([
    'http://localhost/a',
    'https://example.com/b',
    'https://example.com/c',
  ])
  const { emitter, fetch } = open()
  const leaving = new AbortController()
  const reader = (await fetch('/events', { signal: leaving.signal })).body!.getReader()
  await reader.read()
  expect(emitter.stats().connections).toBe(1)
  leaving.abort()
  await expect(reader.read()).rejects.toThrow('aborted')
  expect(emitter.stats().connections).toBe(0)
})

test('fetch follows no redirect', async () => {
  const server = createTestServer(market, ({ url }) => (url.endsWith('/a') ? Response.redirect('http://localhost/b') : new Response('b')))
  onTestFinished(() => server.close())
  const { status, headers, url } = await server.fetch('/a')
  expect([status, headers.get('location'), url]).toEqual([302, 'http://localhost/b', ''])
})

test('connections are streams of events; other responses that nobody reads are none, and keep no clock from being installed', async () => {
  const server = createTestServer(market, ({ url }) =>
    url.endsWith('/events')
      ? new Response(new ReadableStream(), { headers: { 'content-type': 'text/event-stream' } })
      : Response.json({ id: 1 }, { status: 202 }),
  )
  onTestFinished(() => server.close())
  for (let i = 0; i < 3; i++) await server.fetch('/publish', { method: 'POST' })
  expect(server.connections).toBe(0)
  stopTime().uninstall()
  await server.fetch('/events')
  expect(server.connections).toBe(1)
  expect(caught(() => installClock())).toMatchObject({ code: 'invalid-option' })
  server.cut()
  expect(server.connections).toBe(0)
  stopTime()
})

test('close closes the emitter also where a timer of the application throws meanwhile, and throws what that did', async () => {
  stopTime()
  const server = createTestServer(market)
  setTimeout(() => {
    throw new Error('boom')
  })
  await expect(server.close()).rejects.toThrow('boom')
  expect(await rejected(server.emitter.emit('price', price(1)))).toMatchObject({ code: 'emitter-closed' })
})

test('after close nothing is open, no request gets through, and to close again does nothing', async () => {
  const server = createTestServer(market)
  const stream = server.subscribe()
  record(stream)
  await server.settled()
  await Promise.all([server.close(), server.close()])
  server.restore()
  expect(server.connections).toBe(0)
  expect(server.emitter.stats().connections).toBe(0)
  expect(stream.status).toMatchObject({ state: 'closed', reason: 'aborted' })
  expect(await rejected(server.fetch('/events'))).toMatchObject({ cause: { message: 'The test server was closed.' } })
  expect(await rejected(server.emitter.emit('price', price(1)))).toMatchObject({ code: 'emitter-closed' })
})

test('the test server watches what it gave, and takes nothing from it: once, loops and streams work as ever', async () => {
  const server = open()
  const stream = server.subscribe()
  const once = vi.fn<(data: string) => void>()
  stream.once('message', once)
  const off = stream.on('price', () => {})
  const reader = stream.toReadableStream().getReader()
  const loop = stream.events('message')
  const looped = [loop.next(), loop.next()]
  const read = reader.read()
  await server.settled()
  await server.emitter.emit('message', 'one')
  await server.emitter.emit('message', 'two')
  expect(await Promise.all(looped)).toMatchObject([{ value: { data: 'one' } }, { value: { data: 'two' } }])
  expect(await read).toMatchObject({ value: { data: 'one' } })
  expect(await loop.return?.()).toEqual({ done: true, value: undefined })
  expect(once.mock.calls.map(([data]) => data)).toEqual(['one'])
  off()
  off()
  expect(caught(() => stream.on('price', 1 as never))).toMatchObject({ code: 'invalid-option' })
  expect(caught(() => stream.on('prise' as 'price', () => {}))).toMatchObject({ code: 'unknown-event' })
})

test('recording tells of events in order, gaps, statuses, and the fault that closed the stream', async () => {
  const server = open()
  server.refuse(418)
  const heard = record(server.subscribe())
  await server.settled()
  expect(heard.statuses.map(({ state }) => state)).toEqual(['connecting', 'closed'])
  expect(heard.errors).toMatchObject([{ code: 'bad-status', status: 418 }])
})

test('misuse says what to do', async () => {
  const server = open()
  const codes = {
    'takes the contract': () => createTestServer({} as never),
    'Leave fetch out': () => server.subscribe({ fetch: globalThis.fetch } as never),
    'record takes a subscriber': () => record(onDemand(() => createSubscriber(market, '/')) as never),
    'afterBytes is 1.5; give a whole number': () => server.cut({ afterBytes: 1.5 }),
    'has no clear': () => createTestServer(market, { log: { shards: [memoryLog(), memoryLog()], shardOf: () => 0 } }).gap(),
    'refuse: 99 is no status': () => server.refuse(99),
    'Give either log or history': () => createTestServer(market, { log: memoryLog(), history: {} }),
    'createEmitter has no "histroy"': () => createTestServer(market, { histroy: {} } as never),
  }
  for (const [words, act] of Object.entries(codes)) {
    const error = caught(act)
    expect(error, words).toMatchObject({ code: 'invalid-option' })
    expect(error.message).toMatch(new RegExp(words))
  }
})

test('the contract types what is emitted, heard and recorded', () => {
  const typed = (): void => {
    const server = createTestServer(market)
    // @ts-expect-error: another name
    void server.emitter.emit('prise', price(1))
    server.subscribe().on('price', ({ usd }) => usd.toFixed())
    // @ts-expect-error: another name
    server.subscribe().on('prise', () => {})
    const heard = record(server.subscribe())
    for (const it of heard.events) if (it.event === 'price') it.data.usd.toFixed()
    const endpoint = createTestServer(market, () => new Response())
    // @ts-expect-error: the emitter is the application's own
    void endpoint.emitter
    createTestServer(market, { connect: () => ({ context: { user: 'kim' } }), onConnect: ({ context }) => void context.user.length })
  }
  expect(typed).toBeTypeOf('function')
})

test('what can be no refusal, no cut and no option is refused', async () => {
  const server = createTestServer(market)
  onTestFinished(() => server.close())
  expect(() => server.refuse('503' as never)).toThrow('give one from 200 to 599, or a Response')
  expect(() => server.cut({ afterByte: 1 } as never)).toThrow('cut has no "afterByte"')
  expect(() => server.subscribe({ ur: '/' } as never)).toThrow('has no ur')
})
