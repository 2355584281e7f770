import { alreadyRead } from './body.ts'
import type { Incoming } from './incoming.ts'

/** What `handleNode` uses of a request: `IncomingMessage` of node:http, `Http2ServerRequest`, and what frameworks wrap around them. */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  /** The whole path, where a framework has cut the one of a mounted router off `url`. */
  readonly originalUrl?: string | undefined
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined }
  readonly socket?: { readonly remoteAddress?: string | undefined; readonly encrypted?: boolean | undefined } | undefined
  /** What a body parser before has made of the body. */
  readonly body?: unknown
  readonly readableEnded?: boolean | undefined
  readonly destroyed?: boolean | undefined
  on(event: 'data', listener: (chunk: Uint8Array) => void): unknown
  on(event: 'end' | 'close', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  pause(): unknown
  resume(): unknown
}

/** A request of node. `encoded`: somebody else encodes the body of its response. The signal of `leaving` aborts when the client has left. */
export function nodeIncoming(request: NodeRequest, encoded: boolean, leaving: { readonly signal: AbortSignal }): Incoming {
  const { method = '', url = '', headers, socket } = request
  let made: Request | undefined
  return {
    method,
    url,
    // Mostly nobody wants to know it, and it is a system call.
    get address() {
      return socket?.remoteAddress
    },
    encoded,
    get signal() {
      return leaving.signal
    },
    header: (name) => first(headers[name]),
    headerSize: () => sizeOf(headers),
    // Once: a body is read once.
    request: () => (made ??= requestOf(request, method, leaving.signal)),
  }
}

function requestOf(request: NodeRequest, method: string, signal: AbortSignal): Request {
  const body = method === 'GET' || method === 'HEAD' ? null : bodyOf(request)
  const headers = new Headers([...fields(request.headers)])
  return new Request(addressOf(request), { method, headers, signal, body, ...(body && HALF_DUPLEX) })
}

/** The Fetch standard asks for it with a stream as body; TypeScript does not know it. */
const HALF_DUPLEX: object = { duplex: 'half' }

function addressOf({ originalUrl, url = '/', headers, socket }: NodeRequest): string {
  const path = originalUrl ?? url
  const scheme = first(headers[':scheme']) ?? (socket?.encrypted ? 'https' : 'http')
  const host = first(headers[':authority']) ?? first(headers['host']) ?? 'localhost'
  // Else it would say where the path begins.
  if (/[/?#\\@]/.test(host)) throw new TypeError(`${host} is no host`)
  // Not resolved against the host: a path like //elsewhere would take its place.
  return path.startsWith('/') ? `${scheme}://${host}${path}` : path
}

/** Every request is measured, so this makes nothing that has to be collected. */
function sizeOf(headers: NodeRequest['headers']): number {
  let size = 0
  for (const name in headers) {
    const value = headers[name] ?? ''
    if (typeof value === 'string') size += name.length + value.length
    else for (const one of value) size += name.length + one.length
  }
  return size
}

/** Without those of HTTP/2 that begin with a colon, which are none of the web's. */
function* fields(headers: NodeRequest['headers']): Iterable<[string, string]> {
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || name.startsWith(':')) continue
    for (const one of typeof value === 'string' ? [value] : value) yield [name, one]
  }
}

function first(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' || value === undefined ? value : value[0]
}

/** The body as it comes, or as a body parser that was there before has left it. */
function bodyOf(request: NodeRequest): ReadableStream<Uint8Array<ArrayBuffer>> | string {
  const { body, readableEnded } = request
  if (readableEnded && body !== undefined) return typeof body === 'string' ? body : JSON.stringify(body)
  let over = false
  let listen = (controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>>): void => {
    listen = () => {}
    const finish = (act: () => void): void => {
      if (!over) act()
      over = true
    }
    const left = (): void => finish(() => controller.error(new TypeError('The client has left.')))
    // What is over by now tells of it no more.
    if (request.readableEnded) return finish(() => controller.error(alreadyRead()))
    if (request.destroyed) return left()
    request.on('data', (chunk) => {
      if (over) return
      request.pause()
      controller.enqueue(new Uint8Array(chunk))
    })
    request.on('end', () => finish(() => controller.close()))
    request.on('error', (error) => finish(() => controller.error(error)))
    request.on('close', left)
  }
  // Nothing is read before it is asked for: what nobody reads, node itself discards.
  return new ReadableStream(
    {
      pull(controller) {
        listen(controller)
        if (!over) request.resume()
      },
      cancel() {
        over = true
        // To the end, or the connection would not be free for the next request.
        request.resume()
      },
    },
    { highWaterMark: 0 },
  )
}
