import { beforeEach, expect, test } from 'vitest'
import { response, serveTcp, STREAM_HEAD } from '../../support/serve.ts'
import { collector, subscribe } from '../../support/subscribe.ts'
import { cursorOf, END, firstFate, heardUntilEnd, pathOf, shortWaits } from './support.ts'

beforeEach(shortWaits)

const moved = (status: number, location: string): string => response(`${status} Moved`, 'Elsewhere.', `location: ${location}\r\n`)
const methodOf = (head: string): string => head.slice(0, head.indexOf(' '))
const STATUSES = [301, 302, 303, 307, 308]

test.each(STATUSES)('follows a %i, and brings its headers and its cursor along', async (status) => {
  const { url, attempts } = await serveTcp((socket, _, head) =>
    socket.end(pathOf(head) === '/moved' ? `${STREAM_HEAD}data: here\n\n${END}` : moved(status, '/moved')),
  )
  expect(await heardUntilEnd(url, { lastEventId: '7', headers: { 'x-who': 'me' } })).toEqual(['here'])
  expect(attempts.map((head) => [methodOf(head), pathOf(head), cursorOf(head)])).toEqual([
    ['GET', '/events', '7'],
    ['GET', '/moved', '7'],
  ])
  expect(attempts[1]).toMatch(/^accept: text\/event-stream\r$/im)
  expect(attempts[1]).toMatch(/^x-who: me\r$/im)
})

test.each([
  [301, 'GET'],
  [302, 'GET'],
  [303, 'GET'],
  [307, 'POST'],
  [308, 'POST'],
])('a POST that is answered with %i goes on as %s, as in a browser', async (status, method) => {
  const { url, attempts } = await serveTcp((socket, _, head) =>
    socket.end(pathOf(head) === '/moved' ? `${STREAM_HEAD}data: here\n\n${END}` : moved(status, '/moved')),
  )
  expect(await heardUntilEnd(url, { method: 'POST', body: 'question', headers: { 'content-type': 'text/plain' } })).toEqual(['here'])
  expect(attempts.map((head) => [methodOf(head), pathOf(head)])).toEqual([
    ['POST', '/events'],
    [method, '/moved'],
  ])
  expect(/^content-length: 8\r$/im.test(attempts[1]!)).toBe(method === 'POST')
})

test('each attempt asks at the first address again: a redirect is not remembered', async () => {
  const { url, attempts } = await serveTcp((socket, attempt, head) => {
    if (attempt === 1) socket.end(moved(301, '/a'))
    else if (attempt === 3) socket.end(moved(301, '/b'))
    else socket.end(`${STREAM_HEAD}id: ${attempt}\ndata: ${pathOf(head)}\n\n${attempt === 4 ? END : ''}`)
  })
  expect(await heardUntilEnd(url)).toEqual(['/a', '/b'])
  expect(attempts.map((head) => [pathOf(head), cursorOf(head)])).toEqual([
    ['/events', undefined],
    ['/a', undefined],
    ['/events', '2'],
    ['/b', '2'],
  ])
})

test('a redirect loop fails in bounded time, and is tried again', async () => {
  const { url, attempts } = await serveTcp((socket, attempt) => {
    socket.end(attempt <= 21 ? moved(302, `/events?${attempt}`) : `${STREAM_HEAD}data: out of it\n\n${END}`)
  })
  const { stream, statuses } = subscribe(url)
  const heard = collector<string>()
  stream.on('message', heard.take)
  expect(await heard.reach(1)).toEqual(['out of it'])
  expect(statuses[1]).toMatchObject({ state: 'connecting', attempt: 2, error: { code: 'network' } })
  // Fetch gives up after twenty redirects.
  expect(attempts).toHaveLength(22)
})

test.each([
  ['a page', response('200 OK', '<h1>Sign in</h1>', 'content-type: text/html\r\n'), 'bad-content-type', 200, '<h1>Sign in</h1>'],
  ['a page that is not there', response('404 Not Found', 'Nothing here.'), 'bad-status', 404, 'Nothing here.'],
])('a redirect to %s is fatal, and the error names the address that it led to', async (_, answer, code, status, body) => {
  const { url } = await serveTcp((socket, _attempt, head) => void socket.end(pathOf(head) === '/login' ? answer : moved(302, '/login')))
  const fate = await firstFate(subscribe(url))
  expect(fate).toMatchObject({ state: 'closed', reason: 'fatal', error: { code, status, body } })
  expect(fate).toHaveProperty('error.message', expect.stringContaining(new URL('/login', url).href))
})

test.each([
  ['204', response('204 No Content'), { state: 'closed', reason: 'ended' }],
  ['503', response('503 Service Unavailable'), { state: 'connecting', attempt: 2, error: { code: 'bad-status', status: 503 } }],
  ['401', response('401 Unauthorized'), { state: 'closed', reason: 'fatal', error: { code: 'bad-status', status: 401 } }],
  ['nothing', '', { state: 'connecting', attempt: 2, error: { code: 'network' } }],
])('a redirect means what it leads to: %s', async (_, answer, expected) => {
  const { url } = await serveTcp((socket, _attempt, head) => void socket.end(pathOf(head) === '/there' ? answer : moved(307, '/there')))
  expect(await firstFate(subscribe(url))).toMatchObject(expected)
})

test.each(STATUSES)('a %i that does not say where to is fatal', async (status) => {
  const { url } = await serveTcp((socket) => void socket.end(response(`${status} Moved`, 'Somewhere.')))
  expect(await firstFate(subscribe(url))).toMatchObject({ state: 'closed', error: { code: 'bad-status', status, body: 'Somewhere.' } })
})

test.each([300, 304, 305, 306])('a %i is no redirect, whatever location it names', async (status) => {
  const { url, attempts } = await serveTcp((socket) => void socket.end(response(`${status} Odd`, '', 'location: /moved\r\n')))
  expect(await firstFate(subscribe(url))).toMatchObject({ state: 'closed', error: { code: 'bad-status', status } })
  expect(attempts).toHaveLength(1)
})

test.each([['http://[bad'], ['ftp://127.0.0.1/events'], ['http://127.0.0.1:1/events']])(
  'a redirect that cannot be followed is tried again: %s',
  async (location) => {
    const { url } = await serveTcp((socket) => void socket.end(moved(302, location)))
    expect(await firstFate(subscribe(url))).toMatchObject({ state: 'connecting', attempt: 2, error: { code: 'network' } })
  },
)

test('a redirect to another origin is followed, without the authorization that was meant for the first', async () => {
  const other = await serveTcp((socket) => void socket.end(`${STREAM_HEAD}data: abroad\n\n${END}`))
  const { url, attempts } = await serveTcp((socket) => void socket.end(moved(307, other.url)))
  const headers = { authorization: 'Bearer secret', cookie: 'session=secret', 'x-who': 'me' }
  expect(await heardUntilEnd(url, { headers, lastEventId: '7' })).toEqual(['abroad'])
  expect(attempts[0]).toMatch(/^authorization: Bearer secret\r$/im)
  expect(other.attempts[0]).not.toContain('secret')
  expect(other.attempts[0]).toMatch(/^x-who: me\r$/im)
  expect(cursorOf(other.attempts[0]!)).toBe('7')
})

test('a redirect whose body never ends is followed all the same', async () => {
  const { url } = await serveTcp((socket, _, head) => {
    if (pathOf(head) === '/moved') socket.end(`${STREAM_HEAD}data: here\n\n${END}`)
    else socket.write('HTTP/1.1 302 Found\r\nlocation: /moved\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n')
  })
  expect(await heardUntilEnd(url)).toEqual(['here'])
})
