import { connect, createServer, type ClientHttp2Stream, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createEmitter, type Connection } from 'eventwire/server'
import { market, type Market } from '../support/market.ts'

/** Serves HTTP/2, and gives a function that asks for the stream on one session. */
async function serveHttp2(
  listener: (request: Http2ServerRequest, response: Http2ServerResponse) => void,
): Promise<() => ClientHttp2Stream> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(async () => {
    session.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return () => session.request({ ':path': '/events' }).on('error', () => {})
}

/** Waits until a stream has sent `part`. */
function hears(stream: ClientHttp2Stream, part: string): Promise<void> {
  let text = ''
  return new Promise((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      text += chunk.toString()
      if (text.includes(part)) resolve()
    })
  })
}

test('many streams of one HTTP/2 session hear the same events, and end when the emitter is closed', async () => {
  const emitter = createEmitter(market)
  const ask = await serveHttp2((request, response) => emitter.handleNode(request, response))
  const streams = Array.from({ length: 20 }, ask)
  await Promise.all(streams.map((stream) => hears(stream, '\n\nid: ')))
  const heard = streams.map((stream) => hears(stream, 'data: hello\n\n'))
  const ended = streams.map((stream) => new Promise((resolve) => stream.on('end', resolve)))
  await emitter.emit('message', 'hello')
  await Promise.all(heard)
  await emitter.close()
  await Promise.all(ended)
})

test('a client that left while the application was deciding leaves nothing behind', async () => {
  const open = new Set<Connection<Market>>()
  const emitter = createEmitter(market, { onConnect: (it) => void open.add(it), onDisconnect: (it) => void open.delete(it) })
  const handled = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const ask = await serveHttp2((request, response) => {
    response.on('close', () => {
      emitter.handleNode(request, response)
      handled.resolve()
    })
    asked.resolve()
  })
  const stream = ask()
  await asked.promise
  stream.close()
  await handled.promise
  expect(open.size).toBe(0)
  await emitter.close()
})
