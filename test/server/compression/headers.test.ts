import express, { type RequestHandler } from 'express'
import { once } from 'node:events'
import { request, type IncomingHttpHeaders, type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import { createBrotliCompress, gunzipSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createEmitter, streamEvents, type EmitterOptions } from 'eventwire/server'
import { caught } from '../../support/caught.ts'
import { listen } from '../../support/listen.ts'
import { market } from '../../support/market.ts'
import { WAYS } from '../../support/ways.ts'
import { listenZipped } from '../../support/zipped.ts'
import { serveCompressed } from './support.ts'

/** The headers of the answer to a request, whose body is not read. */
async function headersOf(url: string, headers: Record<string, string>, method = 'GET'): Promise<IncomingHttpHeaders> {
  const asked = request(url, { method, headers, agent: false }).end()
  onTestFinished(() => void asked.destroy())
  const [answer] = (await once(asked, 'response')) as [IncomingMessage]
  return answer.headers
}

describe.each(WAYS)('by %s', (_, listener) => {
  test.each(['GET', 'HEAD'])(
    '%s is answered with gzip if that is accepted, with plain text if not, and caches are told what it depends on',
    async (method) => {
      const { url } = await serveCompressed(listener)
      const common = {
        'content-type': 'text/event-stream',
        'cache-control': 'no-cache, no-transform',
        'x-accel-buffering': 'no',
        vary: 'accept-encoding',
      }
      const zipped = await headersOf(url, { 'accept-encoding': 'br, gzip' }, method)
      expect(zipped).toMatchObject({ ...common, 'content-encoding': 'gzip' })
      for (const headers of [{}, { 'accept-encoding': 'br' }, { 'accept-encoding': 'gzip;q=0' }]) {
        const plain = await headersOf(url, headers, method)
        expect(plain).toMatchObject(common)
        expect(plain).not.toHaveProperty('content-encoding')
      }
    },
  )

  test('with cors, the answer depends on the origin as well', async () => {
    const { url } = await serveCompressed(listener, { cors: { origins: ['https://app.example'] } })
    expect((await headersOf(url, { 'accept-encoding': 'gzip', origin: 'https://app.example' })).vary).toBe('accept-encoding, Origin')
  })

  test('one that does not accept gzip reads the same events beside one that does', async () => {
    const { url, emitter } = await serveCompressed(listener)
    const [plain, zipped] = [await listen(url, { 'accept-encoding': 'identity' }), await listenZipped(url)]
    expect(plain.response.headers.get('content-encoding')).toBe(null)
    for (const stream of [plain, zipped]) await stream.until(({ cursor }) => cursor !== '')
    for (let count = 1; count <= 30; count++) {
      void emitter.emit('message', `event ${count}`)
      for (const { until } of [plain, zipped]) await until(({ events }) => events.length === count)
    }
    await emitter.close()
    await Promise.all([plain.ended, zipped.ended])
    const eventsOf = (text: string): string => text.replaceAll(/^retry: \d+\n\n/gm, '')
    expect(eventsOf(zipped.whole())).toBe(eventsOf(plain.text))
  })

  test('without the option everyone is sent plain text, and vary says nothing of it', async () => {
    const { url } = await serveCompressed(listener, { compression: undefined })
    const headers = await headersOf(url, { 'accept-encoding': 'gzip' })
    expect(headers['content-encoding']).toBeUndefined()
    expect(headers.vary ?? '').not.toContain('encoding')
  })
})

const [[, overNode]] = WAYS as [(typeof WAYS)[0]]

type Write = (this: ServerResponse, bytes: Uint8Array) => boolean

test('a response that somebody else encodes already is left to them', async () => {
  // Whatever is written, in another coding.
  const { url, emitter } = await serveCompressed(overNode, {}, (listener) => (incoming, response) => {
    const brotli = createBrotliCompress()
    const { write, end }: { write: Write; end: (this: ServerResponse) => unknown } = response
    brotli.on('data', (bytes: Buffer) => void write.call(response, bytes)).on('end', () => void end.call(response))
    Object.assign(response.setHeader('content-encoding', 'br'), {
      write(bytes: Uint8Array) {
        brotli.write(bytes)
        brotli.flush()
        return true
      },
      end: () => brotli.end(),
    })
    listener(incoming, response)
  })
  const stream = await listen(url, { 'accept-encoding': 'br, gzip' })
  expect(stream.response.headers.get('content-encoding')).toBe('br')
  await stream.until(({ cursor }) => cursor !== '')
  void emitter.emit('message', 'hello')
  await stream.until(({ events }) => events[0]?.data === 'hello')
})

test('with Express, middleware that compresses what may be compressed leaves the stream alone, and what it says of vary stays', async () => {
  /** As such middleware does: it stands in for `write`, and decides when the head is written. */
  const compressing: RequestHandler = (_incoming, response, next) => {
    const {
      write,
      writeHead,
    }: { write: Write; writeHead: (this: ServerResponse, status: number, headers: OutgoingHttpHeaders) => unknown } = response
    let compresses = false
    Object.assign(response.setHeader('vary', 'Origin'), {
      writeHead(status: number, headers: OutgoingHttpHeaders) {
        compresses = !String(headers['cache-control']).includes('no-transform') && headers['content-encoding'] === undefined
        return writeHead.call(response, status, headers)
      },
      write(bytes: Uint8Array) {
        if (compresses) throw new Error('It would be compressed.')
        return write.call(response, bytes)
      },
    })
    next()
  }
  const { url, emitter } = await serveCompressed(overNode, {}, (listener) => express().use(compressing).get('/events', listener))
  const stream = await listenZipped(url)
  expect(stream.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Origin, accept-encoding' })
  await stream.until(({ cursor }) => cursor !== '')
  for (let count = 1; count <= 30; count++) {
    void emitter.emit('message', `event ${count}`)
    await stream.until(({ events }) => events.length === count)
  }
  await emitter.close()
  await stream.ended
  expect(stream.whole()).toContain('event 30')
})

test('over the web, a stream that finds no room any more is an empty one of gzip', async () => {
  const emitter = createEmitter(market, { compression: 'shared', limits: { connections: 1 } })
  onTestFinished(() => emitter.close())
  const ask = (): Promise<Response> => emitter.handle(new Request('http://127.0.0.1/events', { headers: { 'accept-encoding': 'gzip' } }))
  const [first, second] = [await ask(), await ask()]
  const reader = first.body!.getReader()
  await reader.read()
  expect(second.headers.get('content-encoding')).toBe('gzip')
  expect(gunzipSync(await second.bytes()).byteLength).toBe(0)
  await reader.cancel()
})

test.each([true, false, null, 'gzip', 'Shared', {}])('compression: %j is refused, and the message says what it takes', (compression) => {
  const { code, message } = caught(() => createEmitter(market, { compression } as unknown as EmitterOptions<typeof market>))
  expect([code, message]).toEqual([
    'invalid-option',
    `compression is ${JSON.stringify(compression)}; it takes 'shared', or nothing for none.`,
  ])
})

test('streamEvents has no such option', () => {
  const options = { heartbeat: 15_000, compression: 'shared' }
  const { code, message } = caught(() => streamEvents(market, options, () => []))
  expect([code, message]).toEqual(['invalid-option', expect.stringContaining('no "compression"')])
})
