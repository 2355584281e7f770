import { expect, test } from 'vitest'
import type { Status } from 'eventwire/client'
import { response, serveTcp, STREAM_HEAD } from '../../support/serve.ts'
import { collector, subscribe } from '../../support/subscribe.ts'
import { firstFate, range } from './support.ts'

const RETRIED = [408, 425, 429, ...range(500, 599)]
/** 407 never reaches a program: fetch makes a network error of it (Fetch, "HTTP-network-or-cache fetch"). */
const SPECIAL = new Set([200, 204, 401, 403, 407])
const FATAL = range(201, 499).filter((status) => !SPECIAL.has(status) && !RETRIED.includes(status))
/** The bodies of these are none, whatever is sent (Fetch, "null body status"). */
const BODILESS = new Set([205, 304])

/** A server that answers `/404` with 404, and so on. All answers claim to be streams, so that the status alone decides. */
async function serveStatuses(): Promise<(status: number) => string> {
  const { url } = await serveTcp((socket, _, head) => {
    const status = Number(/^GET \/(\d+)/.exec(head)![1])
    socket.end(response(`${status} Whatever`, BODILESS.has(status) ? '' : `data: ${status}\n\n`, 'content-type: text/event-stream\r\n'))
  })
  return (status) => new URL(`/${status}`, url).href
}

async function fates(statuses: readonly number[]): Promise<readonly (readonly [status: number, fate: Status])[]> {
  const urlOf = await serveStatuses()
  return Promise.all(
    statuses.map(async (status) => {
      const subscribed = subscribe(urlOf(status))
      const fate = await firstFate(subscribed)
      subscribed.stream.close()
      return [status, fate] as const
    }),
  )
}

test('only 200 opens, and only 204 ends the stream for good', async () => {
  const all = await fates(range(200, 599))
  const having = (wanted: (fate: Status) => boolean): number[] => all.filter(([, fate]) => wanted(fate)).map(([status]) => status)
  expect(having((fate) => fate.state === 'open')).toEqual([200])
  expect(having((fate) => fate.state === 'closed' && fate.reason === 'ended')).toEqual([204])
})

test('408, 425, 429 and every status from 500 to 599 are tried again, and the status says why', async () => {
  for (const [status, fate] of await fates(RETRIED)) {
    expect([status, fate]).toMatchObject([
      status,
      { state: 'connecting', attempt: 2, error: { code: 'bad-status', status, body: `data: ${status}\n\n` } },
    ])
  }
})

test('every other status is fatal, with itself and the body in the error', async () => {
  for (const [status, fate] of await fates([...FATAL, 401, 403])) {
    const body = BODILESS.has(status) ? '' : `data: ${status}\n\n`
    expect([status, fate]).toMatchObject([status, { state: 'closed', reason: 'fatal', error: { code: 'bad-status', status, body } }])
  }
})

test('407 is a network error to fetch, and so tried again', async () => {
  const [[, fate]] = (await fates([407])) as [[number, Status]]
  expect(fate).toMatchObject({ state: 'connecting', error: { code: 'network' } })
})

test('401 and 403 alone ask for onUnauthorized', async () => {
  const urlOf = await serveStatuses()
  const asked: number[] = []
  await Promise.all(
    range(200, 599).map(async (status) => {
      const subscribed = subscribe(urlOf(status), { onUnauthorized: () => void asked.push(status) })
      await firstFate(subscribed)
      subscribed.stream.close()
    }),
  )
  expect(asked.toSorted((a, b) => a - b)).toEqual([401, 403])
})

test.each([600, 700, 999])('%i is outside of HTTP, and taken for a server error (RFC 9110 15)', async (status) => {
  const [[, fate]] = (await fates([status])) as [[number, Status]]
  expect(fate).toMatchObject({ state: 'connecting', attempt: 2, error: { code: 'bad-status', status } })
})

test.each([
  ['102 Processing', 'HTTP/1.1 102 Processing\r\n\r\n'],
  ['103 Early Hints', 'HTTP/1.1 103 Early Hints\r\nlink: </style.css>; rel=preload\r\n\r\n'],
  ['several of them', 'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n'],
])('opens behind an informational response: %s', async (_, before) => {
  const { url, attempts } = await serveTcp((socket) => {
    socket.write(before, () => setImmediate(() => socket.write(`${STREAM_HEAD}data: after\n\n`)))
  })
  const { stream } = subscribe(url)
  const heard = collector<string>()
  stream.on('message', heard.take)
  expect(await heard.reach(1)).toEqual(['after'])
  expect(attempts).toHaveLength(1)
})

test.each([
  ['HTTP/1.0', 'HTTP/1.0 200 OK\r\ncontent-type: text/event-stream\r\n\r\n'],
  ['no reason phrase', 'HTTP/1.1 200\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n'],
  ['a misleading reason phrase', 'HTTP/1.1 200 Not Found\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n'],
  ['names in upper case', 'HTTP/1.1 200 OK\r\nCONTENT-TYPE: TEXT/EVENT-STREAM\r\nCONNECTION: CLOSE\r\n\r\n'],
  ['a hundred other headers', `HTTP/1.1 200 OK\r\n${'x-filler: filler\r\n'.repeat(100)}content-type: text/event-stream\r\n\r\n`],
])('opens on an odd head: %s', async (_, head) => {
  const { url } = await serveTcp((socket) => socket.write(`${head}data: on\n\n`))
  const { stream } = subscribe(url)
  const heard = collector<string>()
  stream.on('message', heard.take)
  expect(await heard.reach(1)).toEqual(['on'])
})

test.each([
  ['nothing', ''],
  ['an empty line', '\r\n'],
  ['half a status line', 'HTTP/1.1 20'],
  ['a status of two digits', 'HTTP/1.1 99 Low\r\n\r\n'],
  ['a status that is no number', 'HTTP/1.1 abc OK\r\n\r\n'],
  ['another protocol', 'SSH-2.0-OpenSSH_9.9\r\n'],
  ['the stream without a head', 'data: hello\n\n'],
  ['a head that does not end', 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n'],
  ['an informational response alone', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
  ['a switch of protocols', 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n'],
  ['a header with a NUL', 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx: a\0b\r\n\r\n'],
  ['a length that is no number', 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: many\r\n\r\n'],
  ['a length and chunks', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n'],
])('is tried again when the answer is no HTTP response: %s', async (_, answer) => {
  const { url } = await serveTcp((socket) => void socket.end(answer))
  expect(await firstFate(subscribe(url))).toMatchObject({ state: 'connecting', attempt: 2, error: { code: 'network' } })
})
