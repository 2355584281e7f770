import { once } from 'node:events'
import type { Socket } from 'node:net'
import { brotliCompressSync, constants, createDeflate, createGzip, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { beforeEach, expect, test } from 'vitest'
import { serveTcp, STREAM_HEAD } from '../../support/serve.ts'
import { collector, subscribe } from '../../support/subscribe.ts'
import { chunk, CHUNKED_HEAD, cursorOf, END, headWith, heardUntilEnd, inBatches, pathOf, range, shortWaits } from './support.ts'

beforeEach(shortWaits)

const SSE = 'content-type: text/event-stream\r\n'
const encoded = (coding: string): string => headWith(`${SSE}content-encoding: ${coding}\r\n`)
const EVENTS = 'id: 1\ndata: one\n\nid: 2\ndata: zwölf 🙂\n\n'

test.each([
  ['gzip', gzipSync],
  ['x-gzip', gzipSync],
  ['GZIP', gzipSync],
  ['deflate', deflateSync],
  ['deflate', deflateRawSync],
  ['br', brotliCompressSync],
  ['gzip, deflate', (text: string) => deflateSync(gzipSync(text))],
  ['identity', (text: string) => Buffer.from(text)],
])('reads a stream that is encoded: %s', async (coding, encode) => {
  const { url } = await serveTcp((socket) => void socket.end(Buffer.concat([Buffer.from(encoded(coding)), encode(EVENTS + END)])))
  expect(await heardUntilEnd(url)).toEqual(['one', 'zwölf 🙂'])
})

test.each([
  ['gzip', createGzip],
  ['deflate', createDeflate],
])('hears an event that was compressed with %s as soon as it was flushed, not at the end', async (coding, create) => {
  const encoder = create()
  const opened = Promise.withResolvers<Socket>()
  const { url } = await serveTcp((socket) => {
    socket.write(encoded(coding))
    encoder.pipe(socket)
    opened.resolve(socket)
  })
  const send = (text: string): void => {
    encoder.write(text)
    encoder.flush(constants.Z_SYNC_FLUSH)
  }
  const { stream } = subscribe(url)
  const heard = collector<string>()
  stream.on('message', heard.take)
  await opened.promise
  for (const [i, text] of ['a', 'b', 'c'].entries()) {
    send(`data: ${text}\n\n`)
    expect((await heard.reach(i + 1)).at(-1)).toBe(text)
  }
  send(END)
  expect(await stream.closed).toEqual({ reason: 'ended' })
})

test.each([
  ['gzip', gzipSync],
  ['deflate', deflateSync],
])('a %s stream that is cut off after any of its bytes is heard whole: each event once, in order', async (coding, encode) => {
  const whole = encode(EVENTS)
  const seen = new Set<string>()
  const { url } = await serveTcp((socket, _, head) => {
    const path = pathOf(head)
    const rest = { '1': EVENTS.slice(EVENTS.indexOf('id: 2')), '2': '' }[cursorOf(head) ?? ''] ?? EVENTS
    const body = seen.has(path) ? encode(rest + END) : whole.subarray(0, Number(path.slice(1)))
    socket.end(Buffer.concat([Buffer.from(encoded(coding)), body]))
    seen.add(path)
  })
  await inBatches(range(0, whole.length), 250, async (bytes) => {
    expect([bytes, await heardUntilEnd(new URL(`/${bytes}`, url).href)]).toEqual([bytes, ['one', 'zwölf 🙂']])
  })
})

test.each([
  ['no gzip at all', () => Buffer.from(EVENTS)],
  ['a block of gzip that is broken', () => Buffer.from(gzipSync(EVENTS)).fill(0xff, 10, 20)],
  ['a checksum that is wrong', () => Buffer.from(gzipSync('data: x\n\n')).fill(0, 20)],
])('a stream whose encoding is corrupt is tried again: %s', async (_, bytes) => {
  const { url } = await serveTcp((socket, attempt) => {
    if (attempt === 1) socket.end(Buffer.concat([Buffer.from(encoded('gzip')), bytes()]))
    else socket.end(`${STREAM_HEAD}data: plain\n\n${END}`)
  })
  const { stream, statuses } = subscribe(url)
  const heard = collector<string>()
  stream.on('message', heard.take)
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(heard.items.at(-1)).toBe('plain')
  expect(statuses.find((it) => it.state === 'connecting' && it.retryAt !== undefined)).toMatchObject({ error: { code: 'network' } })
})

const text = `data: 🙂 é\n\n${END}`
const smile = Buffer.from(text).indexOf(Buffer.from('🙂'))
const split = (...at: number[]): Buffer[] => [0, ...at].map((from, i) => Buffer.from(text).subarray(from, at[i]))

test.each([
  ['one byte each', Array.from(Buffer.from(text), (byte) => chunk(Uint8Array.of(byte)))],
  ['a border within a character', split(smile + 1, smile + 2, smile + 3).map(chunk)],
  ['extensions', split(4, 9).map((part) => Buffer.from(chunk(part).toString('latin1').replace('\r\n', ';a=b;c="d;e"\r\n'), 'latin1'))],
  ['sizes with zeros and capitals', [Buffer.from(`000${Buffer.byteLength(text).toString(16).toUpperCase()}\r\n${text}\r\n`)]],
  ['trailers', [chunk(text.replace(END, '')), chunk(END).subarray(0, -2), Buffer.from('\r\n0\r\nx-trailer: y\r\nid: 7\r\n\r\n')]],
])('reads a stream in odd chunks: %s', async (_, chunks) => {
  const { url } = await serveTcp((socket) => void socket.end(Buffer.concat([Buffer.from(CHUNKED_HEAD), ...chunks])))
  expect(await heardUntilEnd(url)).toEqual(['🙂 é'])
})

test.each([
  ['a size that is no number', 'xyz\r\n'],
  ['a negative size', '-5\r\nhello\r\n'],
  ['a size beyond all numbers', `${'f'.repeat(40)}\r\nhello`],
  ['an empty size', '\r\n'],
  ['a chunk longer than its size', '3\r\nhello\r\n'],
])('a stream of broken chunks is a cut, and what it lacks is asked for again: %s', async (_, broken) => {
  const heard = collector<string>()
  const { url, attempts } = await serveTcp((socket, attempt) => {
    if (attempt > 1) socket.end(`${STREAM_HEAD}data: again\n\n${END}`)
    else {
      socket.write(Buffer.concat([Buffer.from(CHUNKED_HEAD), chunk('id: 1\ndata: one\n\n')]))
      // What is right has been heard before what is wrong is sent.
      void heard.reach(1).then(() => socket.end(broken))
    }
  })
  const { stream } = subscribe(url)
  stream.on('message', heard.take)
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect([heard.items, attempts.map(cursorOf)]).toEqual([
    ['one', 'again'],
    [undefined, '1'],
  ])
})

const bytes = (...parts: (string | readonly number[])[]): Buffer => Buffer.concat(parts.map((part) => Buffer.from(part as string)))

test.each([
  ['a BOM is no part of the stream', bytes('\uFEFFdata: a\n\n'), ['a']],
  ['a second BOM is part of a field that nobody knows', bytes('\uFEFF\uFEFFdata: a\n\ndata: b\n\n'), ['b']],
  ['a BOM elsewhere is text', bytes('data: \uFEFFa\n\n\uFEFFdata: b\n\n'), ['\uFEFFa']],
  ['what is no UTF-8 is replaced', bytes('data: a', [0xff], 'b', [0xc3], 'c\n\n'), ['a\uFFFDb\uFFFDc']],
  ['half a character is replaced, and takes no line end with it', bytes('data: a', [0xf0, 0x9f], '\n\n'), ['a\uFFFD']],
  ['surrogates and overlong forms are no UTF-8', bytes('data: ', [0xed, 0xa0, 0x80], [0xc0, 0x80], '\n\n'), ['\uFFFD'.repeat(5)]],
  ['a replacement character is a character', bytes('data: \uFFFD\n\n'), ['\uFFFD']],
  ['NUL is a character of the data', bytes('data: a\0b\n\n'), ['a\0b']],
  ['other separators of lines are characters', bytes('data: a\u2028b\u0085c\vd\fe\n\n'), ['a\u2028b\u0085c\vd\fe']],
])('%s, cut anywhere', async (_, sent, expected) => {
  const { url } = await serveTcp((socket, _attempt, head) => {
    const cut = Number(pathOf(head).slice(1))
    socket.setNoDelay(true)
    socket.write(Buffer.concat([Buffer.from(CHUNKED_HEAD), cut > 0 ? chunk(sent.subarray(0, cut)) : Buffer.alloc(0)]))
    setImmediate(() => socket.end(Buffer.concat([chunk(Buffer.concat([sent.subarray(cut), Buffer.from(END)])), chunk('')])))
  })
  await inBatches(range(0, sent.length), 250, async (cut) => {
    expect([cut, await heardUntilEnd(new URL(`/${cut}`, url).href)]).toEqual([cut, expected])
  })
})

test('a server that answers though the client is still there to be asked leaves no socket behind at the end', async () => {
  const sockets: Promise<unknown>[] = []
  const { url } = await serveTcp((socket) => {
    sockets.push(once(socket, 'close'))
    // The end is said, and the connection kept: the client has to close it.
    socket.write(Buffer.concat([Buffer.from(CHUNKED_HEAD), chunk(`data: a\n\n${END}data: never\n\n`)]))
  })
  expect(await heardUntilEnd(url)).toEqual(['a'])
  await Promise.all(sockets)
})
