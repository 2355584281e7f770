import { once } from 'node:events'
import type { Socket } from 'node:net'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import type { SubscriberOptions } from 'eventwire/client'
import { serveTcp, STREAM_HEAD } from '../../support/serve.ts'
import { collector, subscribe } from '../../support/subscribe.ts'
import { chunk, CHUNKED_HEAD, cursorOf, END, heardUntilEnd, shortWaits } from './support.ts'

beforeEach(shortWaits)

const ready = (heartbeat: number): string =>
  `event: $ready\ndata: {"epoch":"e","resumed":false,"replayed":0,"heartbeat":${heartbeat},"text":["message"],"ends":[]}\n\n`
const FIRST = 'id: 1\ndata: one\n\n'

interface Stall {
  /** All that the server sends, before it falls silent with the connection open. */
  readonly sent: string
  readonly options: SubscriberOptions
  readonly error: RegExp
  readonly heard: readonly string[]
}

const RESPONSE = { options: { connectTimeout: 150 }, error: / for 150 ms/, heard: ['two'] }
const SILENCE = { options: { idleTimeout: 150 }, error: / for 150 ms/, heard: ['one', 'two'] }

const STALLS: readonly (readonly [where: string, stall: Stall])[] = [
  ['before its head', { ...RESPONSE, sent: '' }],
  ['within its status line', { ...RESPONSE, sent: 'HTTP/1.1 2' }],
  ['within its headers', { ...RESPONSE, sent: 'HTTP/1.1 200 OK\r\ncontent-type: text/ev' }],
  ['before the end of its head', { ...RESPONSE, sent: STREAM_HEAD.slice(0, -1) }],
  ['behind an informational response', { ...RESPONSE, sent: 'HTTP/1.1 103 Early Hints\r\n\r\n' }],
  ['right behind its head', { ...SILENCE, sent: STREAM_HEAD, heard: ['two'] }],
  ['behind an event', { ...SILENCE, sent: STREAM_HEAD + FIRST }],
  ['within an event', { ...SILENCE, sent: `${STREAM_HEAD}${FIRST}id: 2\ndata: tw` }],
  ['before the end of an event', { ...SILENCE, sent: `${STREAM_HEAD}${FIRST}id: 2\ndata: two\n` }],
  ['within a chunk', { ...SILENCE, sent: `${CHUNKED_HEAD}ff\r\n${FIRST}id: 2\n` }],
  ['within the size of a chunk', { ...SILENCE, sent: `${CHUNKED_HEAD}${chunk(FIRST).toString()}f` }],
  [
    'right behind $ready, which promised heartbeats',
    { options: {}, error: /^Nothing .*not even a heartbeat/, sent: `${STREAM_HEAD}${ready(20)}`, heard: ['two'] },
  ],
  [
    'within an event behind $ready, which promised heartbeats',
    {
      options: {},
      error: /^Nothing .*not even a heartbeat/,
      sent: `${STREAM_HEAD}${ready(20)}${FIRST}id: 2\ndata: t`,
      heard: ['one', 'two'],
    },
  ],
]

test.each(STALLS)('a server that falls silent %s is given up, and what is missing is asked for again', async (_, stall) => {
  const { sent, options, error, heard } = stall
  const closed = Promise.withResolvers<unknown>()
  const { url } = await serveTcp((socket, attempt, head) => {
    if (attempt === 1) {
      socket.write(sent)
      closed.resolve(once(socket, 'close'))
    } else socket.end(`${STREAM_HEAD}${cursorOf(head) || heard.length === 1 ? '' : FIRST}id: 2\ndata: two\n\n${END}`)
  })
  const { stream, statuses } = subscribe(url, options)
  const messages: string[] = []
  stream.on('message', (text) => void messages.push(text))
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(messages).toEqual(heard)
  expect(statuses.find((it) => it.state === 'connecting' && it.retryAt !== undefined)).toMatchObject({
    error: { code: 'timeout', message: expect.stringMatching(error) as string },
  })
  // The silent connection was let go of, and not kept beside the new one.
  await closed.promise
})

test('a redirect to a server that is silent is given up within the same time', async () => {
  const { url } = await serveTcp((socket, attempt) => {
    if (attempt === 1) socket.end('HTTP/1.1 302 Found\r\nlocation: /silent\r\ncontent-length: 0\r\nconnection: close\r\n\r\n')
    if (attempt > 2) socket.end(STREAM_HEAD + END)
  })
  const { stream, statuses } = subscribe(url, { connectTimeout: 150 })
  stream.on('message', () => {})
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(statuses[1]).toMatchObject({ error: { code: 'timeout' } })
})

test('a head that drips without end is given up after connectTimeout', async () => {
  const { url } = await serveTcp((socket, attempt) => {
    socket.write(attempt > 1 ? STREAM_HEAD + END : 'HTTP/1.1 200 OK\r\n')
    if (attempt > 1) return
    const more = (): void => void (socket.writable && socket.write('x: y\r\n', () => setTimeout(more, 5)))
    more()
  })
  const { stream, statuses } = subscribe(url, { connectTimeout: 150 })
  stream.on('message', () => {})
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(statuses[1]).toMatchObject({ error: { code: 'timeout' } })
})

/** Sends byte after byte, each in a packet of its own. */
async function drip(socket: Socket, bytes: Buffer): Promise<void> {
  socket.setNoDelay(true)
  for (const byte of bytes) {
    await new Promise((resolve) => socket.write(Uint8Array.of(byte), resolve))
    await new Promise(setImmediate)
  }
}

const SENT = Buffer.from(`\uFEFF${ready(0)}: ü\r\nid: ü-1\r\ndata: grün\r\ndata: 🙂\r\n\r\nretry: 1\rdata: b\r\rid\ndata: c\n\n${END}`)

test.each([
  ['until it is closed', Buffer.concat([Buffer.from(STREAM_HEAD), SENT])],
  ['in chunks of one byte', Buffer.concat([Buffer.from(CHUNKED_HEAD), ...Array.from(SENT, (byte) => chunk(Uint8Array.of(byte)))])],
])('a stream that comes byte by byte, head and all, is read like any other: %s', async (_, bytes) => {
  const { url, attempts } = await serveTcp((socket) => void drip(socket, bytes))
  expect(await heardUntilEnd(url)).toEqual(['grün\n🙂', 'b', 'c'])
  expect(attempts).toHaveLength(1)
})

test('a stream that drips one byte just within the idle timeout is alive, however long one event takes', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const opened = Promise.withResolvers<Socket>()
  const { url, attempts } = await serveTcp((socket) => {
    socket.write(STREAM_HEAD)
    opened.resolve(socket)
  })
  const arrived = collector<void>()
  const watched: typeof fetch = async (input, init) => {
    const response = await fetch(input, init)
    const body = response.body!.pipeThrough(new TransformStream({ transform: (part, to) => (arrived.take(), to.enqueue(part)) }))
    return new Response(body, { headers: response.headers })
  }
  const { stream } = subscribe(url, { idleTimeout: 1_000, fetch: watched })
  const heard = collector<string>()
  stream.on('message', heard.take)
  const socket = await opened.promise
  const event = 'id: 1\ndata: slow\n\n'
  for (const [i, byte] of Array.from(event).entries()) {
    socket.write(byte)
    await arrived.reach(i + 1)
    // The read behind the byte has to be under way before time passes.
    await new Promise(setImmediate)
    await vi.advanceTimersByTimeAsync(900)
  }
  expect(await heard.reach(1)).toEqual(['slow'])
  expect([attempts.length, stream.status.state]).toEqual([1, 'open'])
  await vi.advanceTimersByTimeAsync(200)
  expect(stream.status).toMatchObject({ state: 'connecting', error: { code: 'timeout' } })
})
