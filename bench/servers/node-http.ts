import { createServer, type RequestListener, type ServerResponse } from 'node:http'
import { ready } from './control.ts'
import { options } from './options.ts'

export const HEAD = { 'content-type': 'text/event-stream', 'cache-control': 'no-cache', 'x-accel-buffering': 'no' }

/** Serves with node:http, without the timeouts that would end a quiet connection. */
export function listen(onRequest: RequestListener, details?: { lastEventId?: string }): void {
  const server = createServer({ keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 }, onRequest)
  server.listen(options.port, '127.0.0.1', 4096, () => ready(details))
}

/** Opens a stream, and sends a first comment. */
export function openStream(response: ServerResponse): void {
  response.writeHead(200, HEAD)
  response.write(':ok\n\n')
  response.on('error', () => {})
}

/** The bytes as one chunk of HTTP/1.1. */
export function frame(text: string): Buffer {
  const body = Buffer.from(text)
  return Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n')])
}
