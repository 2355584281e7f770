import type { Socket } from 'node:net'
import { createGzip } from 'node:zlib'
import { beforeEach, expect, test } from 'vitest'
import { heap } from '../../support/heap.ts'
import { serveTcp, STREAM_HEAD } from '../../support/serve.ts'
import { collector, subscribe } from '../../support/subscribe.ts'
import { CHUNKED_HEAD, END, firstFate, headWith, shortWaits } from './support.ts'

beforeEach(shortWaits)

const MIB = 1 << 20
/** What a subscriber may hold beyond what it held before, in bytes: far above its limits, for text is larger in memory, and far below what is poured. */
const ROOM = 36 * MIB
const POURED = 48 * MIB

interface Pour {
  /** Bytes handed to the socket so far. */
  readonly bytes: () => number
  /** Resolves when the socket is gone. */
  readonly gone: Promise<void>
  /** The most that was in use at any time, in bytes. */
  readonly peak: () => number
}

/** Writes `piece` again and again, as fast as the other side reads, up to `most` bytes; then `end`. */
function pour(socket: Socket, piece: Buffer, most = Infinity, end = ''): Pour {
  let bytes = 0
  let peak = 0
  let measure = 0
  const more = (): void => {
    while (!socket.destroyed) {
      if (bytes >= most) return void socket.end(end)
      if (bytes >= measure) {
        measure = Math.max(MIB, 2 * bytes)
        peak = Math.max(peak, heap())
      }
      bytes += piece.length
      if (!socket.write(piece)) return
    }
  }
  socket.on('drain', more)
  const gone = new Promise<void>((resolve) => {
    socket.on('close', () => {
      peak = Math.max(peak, heap())
      resolve()
    })
  })
  more()
  return { bytes: () => bytes, gone, peak: () => peak }
}

/** A server that pours without end behind `before` on the first attempt, and ends the stream on the second. */
async function servePouring(before: string, piece: string, most = Infinity, end = ''): Promise<{ url: string; poured: Promise<Pour> }> {
  const poured = Promise.withResolvers<Pour>()
  const bytes = Buffer.from(piece)
  const { url } = await serveTcp((socket, attempt) => {
    socket.write(attempt > 1 ? STREAM_HEAD + END : before)
    if (attempt === 1) poured.resolve(pour(socket, bytes, most, end))
  })
  return { url, poured: poured.promise }
}

const X = 'x'.repeat(64 << 10)

test.each([
  ['a line', `${STREAM_HEAD}data: `, X],
  ['the name of an event', `${STREAM_HEAD}event: `, X],
  ['an id', `${STREAM_HEAD}id: `, X],
  ['a retry', `${STREAM_HEAD}retry: `, '9'.repeat(64 << 10)],
  ['an event of many lines', STREAM_HEAD, 'data: a line\n'.repeat(5_000)],
  ['an event of empty lines', STREAM_HEAD, 'data\n'.repeat(10_000)],
  ['an event in a chunk without end', `${CHUNKED_HEAD}fffffffffff\r\n`, 'data: a line\r\n'.repeat(5_000)],
])('%s without end is fatal, and takes no more memory than one event may', async (_, before, piece) => {
  const { url, poured } = await servePouring(before, piece)
  const start = heap()
  const { stream } = subscribe(url)
  stream.on('message', () => {})
  expect(await stream.closed).toMatchObject({ reason: 'fatal', error: { code: 'too-large' } })
  const { gone, peak, bytes } = await poured
  // The socket is let go of: nothing is read any more.
  await gone
  expect(peak() - start).toBeLessThan(ROOM)
  expect(bytes()).toBeLessThan(POURED)
})

test('an event that is small on the wire and endless when decompressed is fatal, and takes no more memory than one event may', async () => {
  const bomb = createGzip({ level: 9 })
  const { url } = await serveTcp((socket) => {
    socket.write(headWith('content-type: text/event-stream\r\ncontent-encoding: gzip\r\n'))
    bomb.pipe(socket)
    bomb.write('data: ')
    const piece = Buffer.alloc(MIB, 'x')
    const more = (): void => {
      while (!socket.destroyed && bomb.write(piece));
    }
    bomb.on('drain', more)
    more()
  })
  const start = heap()
  const { stream } = subscribe(url)
  stream.on('message', () => {})
  expect(await stream.closed).toMatchObject({ reason: 'fatal', error: { code: 'too-large' } })
  expect(heap() - start).toBeLessThan(ROOM)
})

test.each([
  ['small comments', STREAM_HEAD, ': a comment, as small as any\n\n'.repeat(2_000)],
  ['blank lines', STREAM_HEAD, '\n'.repeat(64 << 10)],
  ['one line that nobody knows', STREAM_HEAD, X],
  ['one comment', `${STREAM_HEAD}: `, X],
  ['fields that nobody knows', STREAM_HEAD, `unknown: ${'x'.repeat(1_000)}\n`.repeat(60)],
  ['ids alone', STREAM_HEAD, `id: ${'x'.repeat(1_000)}\n\n`.repeat(60)],
  ['retries', STREAM_HEAD, 'retry: 20\n\n'.repeat(5_000)],
  ['events that nobody knows', STREAM_HEAD, `event: unknown\ndata: ${'x'.repeat(1_000)}\n\n`.repeat(60)],
  ['events that nobody listens to', STREAM_HEAD, `event: halted\ndata: ${'x'.repeat(1_000)}\n\n`.repeat(60)],
  ['events that are handled at once', STREAM_HEAD, `id: 1\ndata: ${'x'.repeat(1_000)}\n\n`.repeat(60)],
])('a stream of %s takes no memory, however long it is', async (_, before, piece) => {
  const { url, poured } = await servePouring(before, piece, POURED, `\n\n${END}`)
  const start = heap()
  const { stream } = subscribe(url)
  stream.on('message', () => {})
  expect(await stream.closed).toEqual({ reason: 'ended' })
  const { bytes, peak } = await poured
  expect(bytes()).toBeGreaterThanOrEqual(POURED)
  expect(peak() - start).toBeLessThan(ROOM)
})

test.each([
  ['a header', 'HTTP/1.1 200 OK\r\nx-header: ', X],
  ['headers', 'HTTP/1.1 200 OK\r\n', 'x-header: one of many\r\n'.repeat(1_000)],
])('%s without end: a failed attempt that takes no memory', async (_, before, piece) => {
  const { url, poured } = await servePouring(before, piece)
  const start = heap()
  expect(await firstFate(subscribe(url))).toMatchObject({ state: 'connecting', attempt: 2, error: { code: 'network' } })
  const { gone, peak } = await poured
  await gone
  expect(peak() - start).toBeLessThan(ROOM)
})

test.each([
  ['informational responses', '', 'HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n'.repeat(500)],
  ['a reason phrase', 'HTTP/1.1 200 ', X],
])('%s without end: given up after connectTimeout at the latest, and no memory is taken', async (_, before, piece) => {
  const { url, poured } = await servePouring(before, piece)
  const start = heap()
  const fate = await firstFate(subscribe(url, { connectTimeout: 300 }))
  expect(fate).toMatchObject({ state: 'connecting', attempt: 2 })
  const { gone, peak } = await poured
  await gone
  expect(peak() - start).toBeLessThan(ROOM)
})

test.each([
  ['500', 'HTTP/1.1 500 No\r\n\r\n', { state: 'connecting', error: { code: 'bad-status', body: 'x'.repeat(1_024) } }],
  ['401', 'HTTP/1.1 401 No\r\n\r\n', { state: 'closed', reason: 'fatal', error: { code: 'bad-status', body: 'x'.repeat(1_024) } }],
  [
    '200 that is a page',
    'HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n',
    { state: 'closed', reason: 'fatal', error: { code: 'bad-content-type', body: 'x'.repeat(1_024) } },
  ],
])('of an endless body of a %s no more is read than an excerpt', async (_, before, expected) => {
  const { url, poured } = await servePouring(before, X)
  expect(await firstFate(subscribe(url))).toMatchObject(expected)
  const { gone, bytes } = await poured
  await gone
  // What the kernel had taken when the excerpt was full, and what fetch had read ahead.
  expect(bytes()).toBeLessThan(32 * MIB)
})

test.each([
  ['events', `data: ${'x'.repeat(1_000)}\n\n`],
  ['events that nobody listens to', `event: halted\ndata: {"symbol":"${'x'.repeat(1_000)}","reason":""}\n\n`],
  ['gaps', `event: $gap\ndata: {"reason":"overflow","requested":"${'x'.repeat(200)}","oldest":""}\n\n`],
])('while a handler does not finish, reading stops, whatever the stream goes on with: %s', async (_, block) => {
  const { url, poured } = await servePouring(`${STREAM_HEAD}data: stuck\n\n`, block.repeat(60))
  const start = heap()
  const { stream } = subscribe(url)
  const begun = collector<string>()
  stream.on('message', (text) => {
    begun.take(text)
    return new Promise(() => {})
  })
  await begun.reach(1)
  const { bytes } = await poured
  // It has stopped when nothing more was taken over twenty looks.
  for (let quiet = 0, before = -1; quiet < 20; before = bytes()) {
    quiet = bytes() === before ? quiet + 1 : 0
    expect(bytes()).toBeLessThan(POURED)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  expect(heap() - start).toBeLessThan(ROOM)
  expect(begun.items).toEqual(['stuck'])
})

test('the extensions of a chunk without end are silence: the watchdog cuts them', async () => {
  const { url, poured } = await servePouring(`${CHUNKED_HEAD}5`, `;${X}`)
  const start = heap()
  const { stream, statuses } = subscribe(url, { idleTimeout: 200 })
  stream.on('message', () => {})
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(statuses.find((it) => it.state === 'connecting' && it.retryAt !== undefined)).toMatchObject({ attempt: 2 })
  const { gone, peak } = await poured
  await gone
  expect(peak() - start).toBeLessThan(ROOM)
})
