import type { Socket } from 'node:net'
import { beforeEach, expect, test } from 'vitest'
import { serveTcp, STREAM_HEAD } from '../../support/serve.ts'
import { subscribe } from '../../support/subscribe.ts'
import { chunk, CHUNKED_HEAD, cursorOf, END, headWith, inBatches, pathOf, range, shortWaits } from './support.ts'

beforeEach(shortWaits)

/** A log of the server: blocks of every make, each with its id. */
const LOG: readonly (readonly [id: string, block: string])[] = [
  ['1', 'id: 1\ndata: one\n\n'],
  ['2', ':\r\nevent: price\r\ndata: {"symbol":"ü",\r\ndata: "usd":2}\r\nid: 2\r\n\r\n'],
  ['3', 'retry: 20\nid: 3\ndata: two\ndata\ndata:lines\n\n'],
  ['4', 'id: 4\n\n'],
  ['grün-5', 'id: grün-5\rdata: 🙂\r\r'],
]
const WHOLE = ['1 one', '2 ü 2', '3 two\n\nlines', 'grün-5 🙂']
const STREAM = Buffer.from(LOG.map(([, block]) => block).join(''))

/** What the server has for a client that comes with this cursor. */
function replay(cursor: string | undefined): string {
  const from = LOG.findIndex(([id]) => id === cursor) + 1
  return (
    LOG.slice(from)
      .map(([, block]) => block)
      .join('') + END
  )
}

const stop = (socket: Socket): void => void socket.end()
// Later, so that what was written before it may have been read: a reset throws away what was not.
const reset = (socket: Socket): void => void setImmediate(() => setImmediate(() => socket.resetAndDestroy()))

/** Each writes the beginning of the stream and cuts it. */
const WAYS: readonly (readonly [name: string, cut: (socket: Socket, part: Buffer) => void])[] = [
  ['closed', (socket, part) => socket.write(Buffer.concat([Buffer.from(STREAM_HEAD), part]), () => stop(socket))],
  ['reset', (socket, part) => socket.write(Buffer.concat([Buffer.from(STREAM_HEAD), part]), () => reset(socket))],
  [
    'closed within a chunk',
    (socket, part) => socket.write(Buffer.concat([Buffer.from(`${CHUNKED_HEAD}fff\r\n`), part]), () => stop(socket)),
  ],
  [
    'reset within a chunk',
    (socket, part) => socket.write(Buffer.concat([Buffer.from(`${CHUNKED_HEAD}fff\r\n`), part]), () => reset(socket)),
  ],
  ['closed between chunks', (socket, part) => socket.write(Buffer.concat([Buffer.from(CHUNKED_HEAD), chunk(part)]), () => stop(socket))],
  [
    'ended in good order',
    (socket, part) => socket.end(Buffer.concat([Buffer.from(CHUNKED_HEAD), part.length > 0 ? chunk(part) : part, chunk('')])),
  ],
  [
    'closed short of its length',
    (socket, part) => {
      const head = headWith(`content-type: text/event-stream\r\ncontent-length: ${STREAM.length + 1}\r\n`)
      socket.write(Buffer.concat([Buffer.from(head), part]), () => stop(socket))
    },
  ],
]

/** Subscribes and gives what the handlers heard, in their order, until the end for good. */
async function heardOf(url: string): Promise<{ heard: string[]; reason: string; gaps: unknown[] }> {
  const { stream, gaps } = subscribe(url)
  const heard: string[] = []
  stream.on('message', (text, { id }) => void heard.push(`${id} ${text}`))
  stream.on('price', async ({ symbol, usd }, { id }) => void heard.push(`${id} ${symbol} ${usd}`))
  const { reason } = await stream.closed
  return { heard, reason, gaps: [...gaps] }
}

test.each(WAYS)('a stream that is %s after any of its bytes is heard whole: each event once, in order', async (_, cut) => {
  const seen = new Set<string>()
  const { url, attempts } = await serveTcp((socket, _attempt, head) => {
    const path = pathOf(head)
    if (seen.has(path)) socket.end(STREAM_HEAD + replay(cursorOf(head)))
    else cut(socket, STREAM.subarray(0, Number(path.slice(1))))
    seen.add(path)
  })
  const cuts = range(0, STREAM.length)
  await inBatches(cuts, 250, async (bytes) => {
    const told = await heardOf(new URL(`/${bytes}`, url).href)
    expect([bytes, told]).toEqual([bytes, { heard: WHOLE, reason: 'ended', gaps: [] }])
  })
  expect(attempts).toHaveLength(2 * cuts.length)
})

test.each([
  ['closed', stop],
  ['reset', reset],
])('a response that is %s after any byte of its head is asked for again', async (_, cut) => {
  const head = Buffer.from(STREAM_HEAD)
  const seen = new Set<string>()
  const { url, attempts } = await serveTcp((socket, _attempt, request) => {
    const path = pathOf(request)
    if (seen.has(path)) socket.end(STREAM_HEAD + replay(cursorOf(request)))
    else socket.write(head.subarray(0, Number(path.slice(1))), () => cut(socket))
    seen.add(path)
  })
  const cuts = range(1, head.length - 1)
  await inBatches(cuts, 250, async (bytes) => {
    expect(await heardOf(new URL(`/${bytes}`, url).href)).toEqual({ heard: WHOLE, reason: 'ended', gaps: [] })
  })
  expect(attempts).toHaveLength(2 * cuts.length)
})

test.each([
  ['closed', stop],
  ['reset', (socket: Socket) => void socket.resetAndDestroy()],
])('a connection that is %s before any answer is made again', async (_, cut) => {
  const { url } = await serveTcp((socket, attempt, head) => {
    if (attempt < 4) cut(socket)
    else socket.end(STREAM_HEAD + replay(cursorOf(head)))
  })
  expect(await heardOf(url)).toEqual({ heard: WHOLE, reason: 'ended', gaps: [] })
})

test('a stream that is cut after every single event, again and again, is heard whole', async () => {
  const blocks = range(1, 6).map((n) => `id: ${n}\ndata: ${n}\n\n`)
  const { url } = await serveTcp((socket, attempt, head) => {
    const next = Number(cursorOf(head) ?? 0)
    // Half of the next event comes along each time.
    const half = blocks[next + 1]?.slice(0, 2 * attempt) ?? END
    socket.write(STREAM_HEAD + (blocks[next] ?? '') + half, () => (attempt % 2 ? stop(socket) : reset(socket)))
  })
  expect((await heardOf(url)).heard).toEqual(range(1, 6).map((n) => `${n} ${n}`))
})

test('a stream that is longer than its length ends at it, and what is beyond is asked for again', async () => {
  const one = 'id: 1\ndata: one\n\n'
  const { url } = await serveTcp((socket, attempt) => {
    if (attempt > 1) socket.end(`${STREAM_HEAD}id: 2\ndata: two\n\n${END}`)
    else socket.end(`${headWith(`content-type: text/event-stream\r\ncontent-length: ${one.length}\r\n`)}${one}id: 2\ndata: two\n\n`)
  })
  expect((await heardOf(url)).heard).toEqual(['1 one', '2 two'])
})
