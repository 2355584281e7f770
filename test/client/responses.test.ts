import { getEventListeners } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { createSubscriber, tabs } from 'eventwire/client'
import { market } from '../support/market.ts'
import { response, serveTcp, STREAM_HEAD } from '../support/serve.ts'
import { collector, subscribe } from '../support/subscribe.ts'

const SSE = 'content-type: text/event-stream\r\n'

test.each([
  ['text/event-stream'],
  ['text/event-stream; charset=utf-8'],
  ['Text/Event-Stream;charset=latin1'],
  ['text/event-stream;'],
  ['text/event-stream ; x="y"'],
  ['text/event-stream\r\ncontent-type: text/event-stream'],
])('opens on 200 with content type %s', async (type) => {
  const { url } = await serveTcp((socket) =>
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\nconnection: close\r\n\r\ndata: hello ü\n\n`),
  )
  const { stream } = subscribe(url)
  const heard = collector<string>()
  stream.on('message', heard.take)
  expect(await heard.reach(1)).toEqual(['hello ü'])
})

test('204 closes for good', async () => {
  const { url, attempts } = await serveTcp((socket) => socket.end('HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n'))
  const { stream, errors } = subscribe(url)
  stream.on('message', () => {})
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(stream.status).toEqual({ state: 'closed', reason: 'ended' })
  expect(attempts).toHaveLength(1)
  expect(errors).toEqual([])
})

test.each([
  ['200 OK', 'text/html', 'bad-content-type', 'content type text/html, not text/event-stream'],
  ['200 OK', 'text/event-streamx', 'bad-content-type', 'content type text/event-streamx'],
  ['200 OK', 'application/json', 'bad-content-type', 'content type application/json'],
  ['201 Created', 'text/event-stream', 'bad-status', 'status 201'],
  ['400 Bad Request', 'text/plain', 'bad-status', 'status 400'],
  ['404 Not Found', 'text/event-stream', 'bad-status', 'status 404'],
  ['410 Gone', 'text/plain', 'bad-status', 'status 410'],
])('%s with %s is fatal, and says so with a piece of the body', async (status, type, code, message) => {
  const body = `<p>${'A long page. '.repeat(1_000)}`
  const { url, attempts } = await serveTcp((socket) => socket.end(response(status, body, `content-type: ${type}\r\n`)))
  const { stream, errors } = subscribe(url)
  stream.on('message', () => {})
  const { reason, error } = await stream.closed
  expect(reason).toBe('fatal')
  expect(error).toMatchObject({ code, status: Number.parseInt(status), body: body.slice(0, 1_024) })
  expect(error!.message).toContain(`${url} answered with ${message}`)
  expect(errors).toEqual([error])
  expect(attempts).toHaveLength(1)
})

test('a response without a content type is no stream', async () => {
  const { url } = await serveTcp((socket) => socket.end('HTTP/1.1 200 OK\r\nconnection: close\r\n\r\ndata: x\n\n'))
  const { stream } = subscribe(url)
  stream.on('message', () => {})
  expect((await stream.closed).error).toMatchObject({ code: 'bad-content-type', body: 'data: x\n\n' })
})

test.each([
  ['200 OK', 'bad-content-type'],
  ['404 Not Found', 'bad-status'],
])('%s with another type that stays open is fatal all the same, soon', async (status, code) => {
  const { url } = await serveTcp((socket) => socket.write(`HTTP/1.1 ${status}\r\ncontent-type: text/plain\r\n\r\ndata: a stream\n\n`))
  const { stream } = subscribe(url, { connectTimeout: 20_000 })
  stream.on('message', () => {})
  expect(await stream.closed).toMatchObject({ reason: 'fatal', error: { code, body: 'data: a stream\n\n' } })
})

test('503 whose body stays open is tried again, soon', async () => {
  const { url } = await serveTcp((socket, attempt) =>
    attempt === 1
      ? socket.write(response('503 No', 'not now').replace(/content-length: \d+/i, 'content-length: 1000'))
      : socket.end(`${STREAM_HEAD}data: x\n\n`),
  )
  const { stream, statuses } = subscribe(url, { connectTimeout: 20_000 })
  const heard = collector<string>()
  stream.on('message', heard.take)
  await heard.reach(1)
  expect(statuses).toContainEqual(
    expect.objectContaining({ attempt: 2, error: expect.objectContaining({ status: 503, body: 'not now' }) as unknown }),
  )
})

test.each([
  [{ lastEventID: 'x' }, 'lastEventID'],
  [{ backoff: { bse: 1 } }, 'bse'],
  [{ limits: { que: 1 } }, 'que'],
])('an option that is misspelt is refused: %j', (options, name) => {
  expect(() => createSubscriber(market, 'http://127.0.0.1:1/events', options as object)).toThrow(`has no ${name}; it takes `)
})

test('tabs in place of tabs() is told of', async () => {
  const { stream } = subscribe('http://127.0.0.1:1/events', { share: tabs as never })
  stream.on('message', () => {})
  expect((await stream.closed).error).toMatchObject({ code: 'hook-failed', message: expect.stringContaining('tabs()') as string })
})

test.each([
  ['408 Request Timeout'],
  ['425 Too Early'],
  ['429 Too Many Requests'],
  ['500 Internal Server Error'],
  ['502 Bad Gateway'],
  ['503 Service Unavailable'],
  ['599 Odd'],
])('%s is tried again', async (status) => {
  const { url } = await serveTcp((socket, attempt) =>
    socket.end(attempt < 3 ? response(status, 'not now') : `${STREAM_HEAD}data: at last\n\n`),
  )
  const { stream, statuses, errors } = subscribe(url)
  const heard = collector<string>()
  stream.on('message', heard.take)
  expect((await heard.reach(1))[0]).toBe('at last')
  expect(statuses.slice(0, 5).map(({ state, ...rest }) => [state, 'attempt' in rest && rest.attempt, 'retryAt' in rest])).toEqual([
    ['connecting', 1, false],
    ['connecting', 2, true],
    ['connecting', 2, false],
    ['connecting', 3, true],
    ['connecting', 3, false],
  ])
  expect(statuses[1]).toMatchObject({ error: { code: 'bad-status', status: Number.parseInt(status), body: 'not now' } })
  expect(errors).toEqual([])
})

test('a refused connection is tried again', async () => {
  const { stream, status } = subscribe('http://127.0.0.1:1/events')
  const failed = status((it) => it.state === 'connecting' && it.attempt === 3)
  stream.on('message', () => {})
  expect(await failed).toMatchObject({ error: { code: 'network' } })
})

test('where all addresses of a host refuse, the message says so', async () => {
  // As fetch of node does: what it gives for them together has no text.
  const refused = new AggregateError([new Error('connect ECONNREFUSED ::1:1'), new Error('connect ECONNREFUSED 127.0.0.1:1')])
  const { stream, status } = subscribe('http://localhost:1/events', {
    fetch: () => Promise.reject(new TypeError('fetch failed', { cause: refused })),
  })
  const failed = status((it) => it.state === 'connecting' && it.attempt === 2)
  stream.on('message', () => {})
  expect(await failed).toMatchObject({ error: { message: expect.stringContaining('failed: connect ECONNREFUSED ::1:1') as string } })
})

test.each([
  ['a number of seconds', (): string => '7'],
  ['a date', (): string => new Date(Date.now() + 8_000).toUTCString()],
])('Retry-After is honoured: %s', async (_, retryAfter) => {
  const { url } = await serveTcp((socket) => socket.end(response('503 Service Unavailable', '', `retry-after: ${retryAfter()}\r\n`)))
  const { stream, status } = subscribe(url)
  const waiting = status((it) => it.state === 'connecting' && it.retryAt !== undefined)
  stream.on('message', () => {})
  const { retryAt } = (await waiting) as { retryAt: number }
  expect(retryAt - Date.now()).toBeGreaterThan(6_000)
  expect(retryAt - Date.now()).toBeLessThan(9_500)
})

test('a server that asks for a delay by retry gets it', async () => {
  const { url } = await serveTcp((socket) => socket.end(`${STREAM_HEAD}retry: 20000\n\n`))
  const { stream, status } = subscribe(url)
  const waiting = status((it) => it.state === 'connecting' && it.retryAt !== undefined)
  stream.on('message', () => {})
  const { retryAt } = (await waiting) as { retryAt: number }
  expect(retryAt - Date.now()).toBeGreaterThan(19_000)
})

test('gives up after the attempts that it was allowed', async () => {
  const { url, attempts } = await serveTcp((socket) => socket.end(response('500 Internal Server Error')))
  const { stream } = subscribe(url, { backoff: { base: 1, max: 1, attempts: 3 } })
  stream.on('message', () => {})
  const { reason, error } = await stream.closed
  expect(reason).toBe('fatal')
  expect(error).toMatchObject({ code: 'retries-exhausted', cause: { code: 'bad-status', status: 500 } })
  expect(attempts).toHaveLength(3)
})

test.each([['401 Unauthorized'], ['403 Forbidden']])('%s is fatal without onUnauthorized', async (status) => {
  const { url, attempts } = await serveTcp((socket) => socket.end(response(status, 'who are you?')))
  const { stream } = subscribe(url)
  stream.on('message', () => {})
  expect((await stream.closed).error).toMatchObject({ code: 'bad-status', body: 'who are you?' })
  expect(attempts).toHaveLength(1)
})

test('401 is tried once more after onUnauthorized, with headers asked anew', async () => {
  const { url, attempts } = await serveTcp((socket, _, head) => {
    socket.end(head.includes('authorization: Bearer fresh') ? `${STREAM_HEAD}data: welcome\n\n` : response('401 Unauthorized'))
  })
  let token = 'stale'
  const { stream } = subscribe(url, {
    headers: async () => ({ authorization: `Bearer ${token}` }),
    async onUnauthorized(error) {
      expect(error.status).toBe(401)
      token = 'fresh'
    },
  })
  const heard = collector<string>()
  stream.on('message', heard.take)
  expect(await heard.reach(1)).toEqual(['welcome'])
  expect(attempts).toHaveLength(2)
})

test('401 again after onUnauthorized is fatal; an onUnauthorized that fails is tried again', async () => {
  const { url, attempts } = await serveTcp((socket) => socket.end(response('401 Unauthorized')))
  const first = subscribe(url, { onUnauthorized: () => {} })
  first.stream.on('message', () => {})
  expect((await first.stream.closed).error).toMatchObject({ code: 'bad-status', status: 401 })
  expect(attempts).toHaveLength(2)
  const second = subscribe(url, { onUnauthorized: () => Promise.reject(new Error('no network')) })
  const failed = second.status((it) => it.state === 'connecting' && it.attempt === 3 && it.retryAt !== undefined)
  second.stream.on('message', () => {})
  expect(await failed).toMatchObject({ error: { code: 'hook-failed', message: 'onUnauthorized failed: no network' } })
})

test('401 may come again after an outage, and is met again', async () => {
  const statuses = ['401 Unauthorized', '503 Service Unavailable', '401 Unauthorized', '204 No Content']
  const { url } = await serveTcp((socket, attempt) =>
    socket.end(`HTTP/1.1 ${statuses[attempt - 1]}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`),
  )
  let renewals = 0
  const { stream } = subscribe(url, { onUnauthorized: () => void renewals++ })
  stream.on('message', () => {})
  expect([await stream.closed, renewals]).toEqual([{ reason: 'ended' }, 2])
})

test.each([301, 302, 303, 307, 308])('follows a redirect: %i', async (status) => {
  const { url } = await serveTcp((socket, _, head) => {
    socket.end(head.startsWith('GET /moved') ? `${STREAM_HEAD}data: here\n\n` : response(`${status} Moved`, '', 'location: /moved\r\n'))
  })
  const { stream } = subscribe(url)
  const heard = collector<string>()
  stream.on('message', heard.take)
  expect(await heard.reach(1)).toEqual(['here'])
})

test('$end closes for good, after the events before it', async () => {
  const { url, attempts } = await serveTcp((socket) =>
    socket.write(`${STREAM_HEAD}data: last\n\nevent: $end\ndata: {"reason":"done"}\n\ndata: after\n\n`),
  )
  const { stream } = subscribe(url)
  const heard = collector<string>()
  stream.on('message', heard.take)
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(heard.items).toEqual(['last'])
  expect(attempts).toHaveLength(1)
})

test('closes on a response that never comes, after connectTimeout, and tries again', async () => {
  const { url } = await serveTcp((socket, attempt) => {
    if (attempt > 1) socket.write(`${STREAM_HEAD}data: now\n\n`)
  })
  const { stream, statuses } = subscribe(url, { connectTimeout: 50 })
  const heard = collector<string>()
  stream.on('message', heard.take)
  await heard.reach(1)
  expect(statuses[1]).toMatchObject({ error: { code: 'timeout', message: `Nothing from ${url} for 50 ms. A proxy may be buffering it.` } })
})

test('closes on headers that never come, too', async () => {
  const { stream, status } = subscribe('http://127.0.0.1:1/', { connectTimeout: 50, headers: () => new Promise<Headers>(() => {}) })
  const failed = status((it) => it.state === 'connecting' && it.error !== undefined)
  stream.on('message', () => {})
  expect(await failed).toMatchObject({ error: { code: 'timeout', message: 'Nothing for 50 ms. A proxy may be buffering it.' } })
})

test('a url that cannot be, and a source that throws, are said in the status', async () => {
  const bad = subscribe('/events')
  bad.stream.on('message', () => {})
  expect(await bad.stream.closed).toMatchObject({ reason: 'fatal', error: { code: 'invalid-option' } })
  const thrown = subscribe(() => {
    throw new Error('no url today')
  })
  const failed = thrown.status((it) => it.state === 'connecting' && it.error !== undefined)
  thrown.stream.on('message', () => {})
  expect(await failed).toMatchObject({ error: { code: 'hook-failed' } })
})

test.each([
  ['backoff.base', { backoff: { base: NaN } }],
  ['backoff.max', { backoff: { max: -1 } }],
  ['backoff.attempts', { backoff: { attempts: 0 } }],
  ['connectTimeout', { connectTimeout: 0 }],
  ['idleTimeout', { idleTimeout: -5 }],
  ['limits.queue', { limits: { queue: 0 } }],
  ['overflow', { overflow: 'drop_oldest' as 'pause' }],
  ['commit', { commit: 'recieved' as 'received' }],
  ['resumeIn', { resumeIn: 'url' as 'query' }],
  ['tabs()', { share: true as never }],
  ['headers', { headers: { 'x-name': 'no\nheader' } }],
])('refuses a bad option and names it: %s', (name, options) => {
  expect(() => subscribe('http://127.0.0.1:1/', options)).toThrow(name)
})

test('refuses a first argument that is neither a contract nor a url', () => {
  expect(() => createSubscriber({} as never, '/events')).toThrow('createSubscriber: the url is object')
})

test('sends what it was asked to, and the cursor in bytes of UTF-8', async () => {
  const { url, attempts } = await serveTcp((socket) => socket.end(STREAM_HEAD))
  const { stream, status } = subscribe(url, { headers: { 'x-who': 'me' }, lastEventId: 'grün-7' })
  const cut = status((it) => it.state === 'connecting' && it.attempt === 2)
  stream.on('message', () => {})
  await cut
  expect(attempts[0]).toMatch(/^accept: text\/event-stream\r$/im)
  expect(attempts[0]).toMatch(/^x-who: me\r$/im)
  expect(Buffer.from(attempts[0]!, 'utf8').toString()).toMatch(/^last-event-id: grün-7\r$/im)
})

test('uses the fetch that it is given', async () => {
  const asked: string[] = []
  const stream = createSubscriber(market, '/anywhere', {
    fetch: async (input, init) => {
      asked.push(`${input} ${new Headers(init?.headers).get('accept')}`)
      return new Response('data: hi\n\nevent: $end\ndata: {}\n\n', { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  onTestFinished(() => stream.close())
  const heard = collector<string>()
  stream.on('message', heard.take)
  await stream.closed
  expect(heard.items).toEqual(['hi'])
  expect(asked).toEqual(['/anywhere text/event-stream'])
})

test('is closed by its signal, before and after it began, and leaves no listener on it', async () => {
  const { url, attempts } = await serveTcp((socket) => socket.write(`HTTP/1.1 200 OK\r\n${SSE}\r\n`))
  const controller = new AbortController()
  const { stream, status } = subscribe(url, { signal: controller.signal })
  const open = status(({ state }) => state === 'open')
  stream.on('message', () => {})
  await open
  controller.abort()
  expect(await stream.closed).toEqual({ reason: 'aborted' })
  expect(getEventListeners(controller.signal, 'abort')).toEqual([])
  const late = subscribe(url, { signal: controller.signal })
  late.stream.on('message', () => {})
  expect(await late.stream.closed).toEqual({ reason: 'aborted' })
  expect(attempts).toHaveLength(1)
})

test('an accept of the application stands: some servers want to read more than one type there', async () => {
  const { url, attempts } = await serveTcp((socket) => socket.end('HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n'))
  const { stream } = subscribe(url, { headers: { accept: 'application/json, text/event-stream' } })
  stream.on('message', () => {})
  await stream.closed
  expect(attempts[0]).toMatch(/^accept: application\/json, text\/event-stream\r$/im)
})
