import { ChunkedSink, isPlain, type Carrier, type ChunkedResponse } from './chunked.ts'
import { Detachable } from './detach.ts'
import { plain, type Answer, type AnswerHeaders } from './http.ts'
import type { Attach } from './sink.ts'

/** What `handleNode` uses of a response: `ServerResponse` of node:http, `Http2ServerResponse`, and what frameworks wrap around them. */
export interface NodeResponse {
  readonly destroyed?: boolean
  /** Null on HTTP/1.1 while another response has the socket. */
  readonly socket?: object | null | undefined
  /** HTTP/2 tells of the end here only. */
  readonly stream?: { readonly destroyed: boolean; readonly readableEnded?: boolean; close?(): unknown } | undefined
  readonly writableLength: number
  getHeader?(name: string): string | number | readonly string[] | undefined
  writeHead(status: number, headers: Readonly<Record<string, string | string[]>>): unknown
  write(chunk: Uint8Array): boolean
  end(): unknown
  end(body: string | Uint8Array): unknown
  destroy(): unknown
  on(event: 'close' | 'drain' | 'error', listener: () => void): unknown
  off(event: 'close', listener: () => void): unknown
}

/** Whether the client has left while the application was still deciding. */
export function hasLeft({ destroyed, stream }: NodeResponse): boolean {
  return destroyed === true || stream?.destroyed === true
}

/** Watches for the client to leave while its request is decided on. Only once somebody wants to know: mostly nobody does. */
export class Departure {
  readonly #response: NodeResponse
  #controller: AbortController | undefined

  constructor(response: NodeResponse) {
    this.#response = response
  }

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController()
      this.#response.on('close', this.#leave)
      if (hasLeft(this.#response)) this.#leave()
    }
    return this.#controller.signal
  }

  /** The request has been decided on. */
  settle(): void {
    if (this.#controller) this.#response.off('close', this.#leave)
  }

  readonly #leave = (): void => this.#controller?.abort()
}

/** Whether somebody else has said that the body will be encoded, and does it. */
export function isEncoded(response: NodeResponse): boolean {
  return response.getHeader?.('content-encoding') !== undefined
}

/**
 * The refusal of a request that was sent behind another on the same HTTP/1.1 connection, before that was answered: its
 * stream would have to wait for the end of the first. `undefined` for any other.
 */
export function refusePipelined({ socket }: NodeResponse): Answer | undefined {
  return socket === null
    ? plain(503, 'Another response is under way on this connection. Use one of its own.', { 'retry-after': '1' })
    : undefined
}

/** Answers on a node response. `detach`: http may let go of a stream, where it can. */
export function nodeResponse({ status, headers, body }: Answer, response: NodeResponse, highWaterMark: number, detach: boolean): void {
  if (hasLeft(response)) return
  const plainly = isPlain(response)
  const detachable = detach && plainly && typeof body === 'function' ? Detachable.of(response) : undefined
  // http would not read the next request.
  response.writeHead(status, nodeHeaders(detachable ? { ...headers, connection: 'close' } : headers, response))
  if (typeof body !== 'function') {
    response.end(body)
    // Else HTTP/2 would wait for the rest of a body that nobody wants, for as long as the client likes. It is closed once all was sent.
    if (response.stream?.readableEnded === false) response.stream.close?.()
    return
  }
  // A reset by the peer is followed by 'close'; without a listener it would end the process.
  response.on('error', () => {})
  if (plainly && response.chunkedEncoding) attachChunked(body, response, detachable, highWaterMark)
  else attachPlain(body, response, highWaterMark)
}

/** The way that every response knows. */
function attachPlain(attach: Attach, response: NodeResponse, highWaterMark: number): void {
  const connection = attach({
    write: (bytes) => response.write(ownBuffer(bytes)) || response.writableLength < highWaterMark,
    get buffered() {
      return response.writableLength
    },
    end: () => response.end(),
    destroy: () => response.destroy(),
  })
  response.on('drain', () => connection.drained())
  // Not the request's 'close': it does not come once the request's body was read.
  response.on('close', () => connection.gone())
  connection.opened()
}

/** The bytes that were asked for last: a sweep asks for the same ones again and again. */
let copied: { readonly bytes: Uint8Array; readonly buffer: Uint8Array } | undefined

/**
 * Bytes as a buffer of node, which a response would make of them anew for each connection. Apart from the block of the log that they
 * may be a small part of: a response that is full would hold on to all of it.
 */
function ownBuffer(bytes: Uint8Array): Uint8Array {
  if (copied?.bytes !== bytes) copied = { bytes, buffer: bufferOf(bytes) }
  return copied.buffer
}

function bufferOf(bytes: Uint8Array): Uint8Array {
  const { buffer, byteOffset, byteLength } = bytes
  if (buffer.byteLength <= 4 * byteLength) return Buffer.from(buffer, byteOffset, byteLength)
  const copy = Buffer.allocUnsafeSlow(byteLength)
  copy.set(bytes)
  return copy
}

function attachChunked(attach: Attach, response: ChunkedResponse, detachable: Detachable | undefined, highWaterMark: number): void {
  const { sink, connection, gone } = carry(attach, detachable ?? response, highWaterMark)
  response.on('close', gone)
  sink.together(() => {
    // The head goes first, by the response's own way.
    response.flushHeaders()
    connection.opened()
  })
  detachable?.detachSoon(gone)
}

/** Apart from the above, so that what is made here does not hold on to a response that is detached. */
function carry(attach: Attach, carrier: Carrier, highWaterMark: number) {
  const sink = new ChunkedSink(carrier, highWaterMark, () => sink.together(() => connection.drained()))
  const connection = attach(sink)
  const gone = (): void => {
    sink.release()
    connection.gone()
  }
  return { sink, connection, gone }
}

/** `connection` is of HTTP/1.1 alone. To `vary` is added what others have said of it before. */
function nodeHeaders(headers: AnswerHeaders, response: NodeResponse): AnswerHeaders {
  const before = headers['vary'] === undefined ? undefined : response.getHeader?.('vary')
  if (headers['connection'] === undefined && before === undefined) return headers
  const { connection, vary, ...others } = headers
  return {
    ...others,
    ...(vary !== undefined && { vary: [before ?? [], vary].flat().join(', ') }),
    ...(connection !== undefined && !response.stream && { connection }),
  }
}
