import { connect, type Socket } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { EventwireError } from 'eventwire'
import { createEmitter, type ConnectDetails, type Emitter, type EmitterOptions } from 'eventwire/server'
import { listen } from '../support/listen.ts'
import { market, price, type Market } from '../support/market.ts'
import { serve } from '../support/serve.ts'
import { collector, subscribe } from '../support/subscribe.ts'
import { WAYS } from '../support/ways.ts'

interface User {
  readonly user: string
}

describe.each(WAYS)('with %s', (_, listener) => {
  async function open(options: EmitterOptions<Market, User>): Promise<{ emitter: Emitter<Market>; url: string; port: number }> {
    const emitter = createEmitter(market, options)
    const served = await serve(listener(emitter))
    onTestFinished(() => emitter.close())
    return { ...served, emitter }
  }

  test('connect gives a request its topics and its context', async () => {
    const users: string[] = []
    const { emitter, url } = await open({
      connect: async (request) => ({ topics: ['BTC'], context: { user: request.headers.get('x-user') ?? '' } }),
      onConnect: ({ context }) => void users.push(context.user),
    })
    const stream = await listen(url, { 'x-user': 'ada' })
    await stream.until(({ messages }) => messages.length === 1)
    await emitter.emit('price', price(1), { topic: 'ETH' })
    await emitter.emit('price', price(2), { topic: 'BTC' })
    await stream.until(({ events }) => events.length === 1)
    expect(JSON.parse(stream.events[0]!.data)).toEqual(price(2))
    expect(users).toEqual(['ada'])
  })

  test('connect sees the whole request', async () => {
    const seen: Request[] = []
    const { url } = await open({
      connect(request) {
        seen.push(request)
        return { context: { user: 'ada' } }
      },
    })
    await listen(`${url}?room=1&room=2`, { cookie: 'a=b; c=d', 'last-event-id': 'x' })
    const [request] = seen
    expect(request).toBeInstanceOf(Request)
    expect([request!.method, request!.url]).toEqual(['GET', `${url}?room=1&room=2`])
    expect([request!.headers.get('cookie'), request!.headers.get('last-event-id')]).toEqual(['a=b; c=d', 'x'])
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
  ])('a Response that connect %s is the answer', async (_verb, give) => {
    const { url, emitter } = await open({
      connect() {
        const headers = new Headers({ 'www-authenticate': 'Bearer', 'content-type': 'text/plain' })
        headers.append('set-cookie', 'a=1')
        headers.append('set-cookie', 'b=2')
        return give(new Response('Who are you?', { status: 401, headers }))
      },
    })
    const response = await fetch(url)
    expect([response.status, await response.text()]).toEqual([401, 'Who are you?'])
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(emitter.stats()).toMatchObject({ connections: 0, refusals: { 401: 1 } })
    const head = await fetch(url, { method: 'HEAD' })
    expect([head.status, head.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
  })

  test('connect may tell a client not to come back, with 204', async () => {
    const { url } = await open({ connect: () => new Response(null, { status: 204 }) })
    const response = await fetch(url)
    expect([response.status, await response.text()]).toEqual([204, ''])
  })

  test('an error of connect is a 500 that says nothing, and onError hears it', async () => {
    const errors: EventwireError[] = []
    const cause = new Error('the password of the database is hunter2')
    const { url } = await open({ connect: () => Promise.reject(cause), onError: (error) => void errors.push(error) })
    const response = await fetch(url)
    expect(response.status).toBe(500)
    expect(await response.text()).toBe('The server could not open this event stream.')
    expect(errors).toMatchObject([{ code: 'hook-failed', cause }])
    expect(errors[0]!.message).toContain('connect')
  })

  test.each([
    ['false', false],
    ['null', null],
    ['a status', 401],
  ])('%s from connect, which the types forbid, lets nobody in', async (_name, given) => {
    const errors: EventwireError[] = []
    const { url } = await open({ connect: () => given as never, onError: (error) => void errors.push(error) })
    expect((await fetch(url)).status).toBe(500)
    expect(errors).toMatchObject([{ code: 'hook-failed' }])
  })

  test('nothing from connect lets in with the defaults', async () => {
    const emitter = createEmitter(market, { connect: () => undefined, topics: ['BTC'] })
    const { url } = await serve(listener(emitter))
    onTestFinished(() => emitter.close())
    await listen(url)
    expect(emitter.stats().topics).toEqual({ BTC: 1 })
  })

  test.each([{ topics: null }, { maxAge: null }])(
    '%j from connect, which the types forbid, does not fall back to what is wider',
    async (given) => {
      const errors: EventwireError[] = []
      const { url } = await open({
        connect: () => ({ context: { user: 'ada' }, ...given }) as never,
        onError: (error) => void errors.push(error),
      })
      expect((await fetch(url)).status).toBe(500)
      expect(errors).toMatchObject([{ code: 'invalid-option' }])
    },
  )

  test('topics that connect gives and that are none are a 500', async () => {
    const errors: EventwireError[] = []
    const { url } = await open({
      connect: () => ({ topics: [1] as unknown as string[], context: { user: 'ada' } }),
      onError: (error) => void errors.push(error),
    })
    expect((await fetch(url)).status).toBe(500)
    expect(errors).toMatchObject([{ code: 'invalid-option' }])
  })

  test('a client that leaves while connect is deciding is told to it, and leaves nothing behind', async () => {
    const asked = Promise.withResolvers<Request>()
    const decided = Promise.withResolvers<{ context: User }>()
    const opened: unknown[] = []
    const { url, emitter } = await open({
      connect(request) {
        asked.resolve(request)
        return decided.promise
      },
      onConnect: (connection) => void opened.push(connection),
      limits: { connections: 1 },
    })
    const leaving = new AbortController()
    const answer = fetch(url, { signal: leaving.signal }).catch(() => 'left')
    const { signal } = await asked.promise
    expect((await fetch(url)).status).toBe(503)
    const left = new Promise((resolve) => signal.addEventListener('abort', resolve))
    leaving.abort()
    await Promise.all([left, answer])
    // The place is free again before the hook has answered.
    decided.resolve({ context: { user: 'ada' } })
    const stream = await listen(url)
    await stream.until(({ messages }) => messages.length === 1)
    expect(opened).toHaveLength(1)
    expect(emitter.stats().connections).toBe(1)
  })

  test('an emitter that closes while connect is deciding refuses', async () => {
    const asked = Promise.withResolvers<void>()
    const decided = Promise.withResolvers<{ context: User }>()
    const { url, emitter } = await open({
      connect() {
        asked.resolve()
        return decided.promise
      },
    })
    const answer = fetch(url)
    await asked.promise
    await emitter.close()
    decided.resolve({ context: { user: 'ada' } })
    expect((await answer).status).toBe(503)
  })

  test('maxAge ends the stream, and the client comes back through connect without missing anything', async () => {
    let asked = 0
    const { url, emitter } = await open({
      connect: () => ({ maxAge: asked++ === 0 ? 50 : '1h', context: { user: 'ada' } }),
    })
    const heard = collector<number>()
    const { stream, status } = subscribe(url)
    const reopened = status(({ state }) => asked === 2 && state === 'open')
    stream.on('price', ({ usd }) => heard.take(usd))
    await status(({ state }) => state === 'open')
    const publishing = setInterval(() => void emitter.emit('price', price(heard.items.length + 1)), 10)
    onTestFinished(() => clearInterval(publishing))
    await reopened
    clearInterval(publishing)
    await emitter.emit('price', price(-1))
    while (heard.items.at(-1) !== -1) await heard.reach(heard.items.length + 1)
    expect(asked).toBe(2)
    expect(emitter.stats().emits).toBe(heard.items.length)
  })

  test('a maxAge beyond what a timer can hold does not end the stream at once', async () => {
    const { url, emitter } = await open({ connect: () => ({ maxAge: '365d', context: { user: 'ada' } }) })
    const stream = await listen(url)
    await stream.until(({ messages }) => messages.length === 1)
    await new Promise((resolve) => setTimeout(resolve, 10))
    await emitter.emit('message', 'still here')
    await stream.until(({ events }) => events.length === 1)
  })

  test('a maxAge that is none is a 500', async () => {
    const errors: EventwireError[] = []
    const { url } = await open({
      connect: () => ({ maxAge: '1 hour' as '1h', context: { user: 'ada' } }),
      onError: (error) => void errors.push(error),
    })
    expect((await fetch(url)).status).toBe(500)
    expect(errors).toMatchObject([{ code: 'invalid-option', message: expect.stringContaining('maxAge') as string }])
  })
})

test('connect is told the topics that handle was given, and has the last word', async () => {
  const seen: ConnectDetails[] = []
  const emitter = createEmitter(market, {
    connect(request, details) {
      seen.push(details)
      return request.headers.has('x-narrow') ? { topics: ['BTC'] } : {}
    },
  })
  const { url } = await serve((request, response) => emitter.handleNode(request, response, { topics: ['BTC', 'ETH'] }))
  onTestFinished(() => emitter.close())
  await listen(url)
  expect(emitter.stats().topics).toEqual({ BTC: 1, ETH: 1 })
  await listen(url, { 'x-narrow': '1' })
  expect(emitter.stats().topics).toEqual({ BTC: 2, ETH: 1 })
  expect(seen[0]).toEqual({ topics: ['BTC', 'ETH'], address: '127.0.0.1' })
})

test.each([
  ['GET //evil.example/events HTTP/1.1\r\nhost: a.example', 200, 'http://a.example//evil.example/events'],
  ['GET http://b.example/events HTTP/1.1\r\nhost: a.example', 200, 'http://b.example/events'],
  ['GET /events HTTP/1.0', 200, 'http://localhost/events'],
  ['GET /%zz?%zz HTTP/1.1\r\nhost: a.example', 200, 'http://a.example/%zz?%zz'],
  ['GET /events HTTP/1.1\r\nhost: ada:secret@a.example', 400, undefined],
  ['GET /events HTTP/1.1\r\nhost: a b', 400, undefined],
  ['OPTIONS * HTTP/1.1\r\nhost: a.example', 405, undefined],
])('%j is answered %d, and the host stays the host', async (head, status, address) => {
  const seen: string[] = []
  const emitter = createEmitter(market, { connect: (request) => void seen.push(request.url) })
  const { port } = await serve((request, response) => emitter.handleNode(request, response))
  onTestFinished(() => emitter.close())
  const socket: Socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.write(`${head}\r\n\r\n`)
  const answer = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())))
  expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
  expect(seen).toEqual(address === undefined ? [] : [address])
})
