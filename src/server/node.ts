import { ChunkedSink, isPlain, type ChunkedResponse } from './chunked.ts'
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
  writeHead(status: number, headers: Record<string, string | string[]>): unknown
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

/**
 * The refusal of a request that was sent behind another on the same HTTP/1.1 connection, before that was answered: its
 * stream would have to wait for the end of the first. `undefined` for any other.
 */
export function refusePipelined({ socket }: NodeResponse): Answer | undefined {
  return socket === null
    ? plain(503, 'Another response is under way on this connection. Use one of its own.', { 'retry-after': '1' })
    : undefined
}

/** Answers on a node response. */
export function nodeResponse({ status, headers, body }: Answer, response: NodeResponse, highWaterMark: number): void {
  if (hasLeft(response)) return
  const plainly = isPlain(response)
  response.writeHead(status, nodeHeaders(headers, response))
  if (typeof body !== 'function') {
    response.end(body)
    // Else HTTP/2 would wait for the rest of a body that nobody wants, for as long as the client likes. It is closed once all was sent.
    if (response.stream?.readableEnded === false) response.stream.close?.()
    return
  }
  // A reset by the peer is followed by 'close'; without a listener it would end the process.
  response.on('error', () => {})
  if (plainly && response.chunkedEncoding) attachChunked(body, response, highWaterMark)
  else attachPlain(body, response, highWaterMark)
}

/** The way that every response knows. */
function attachPlain(attach: Attach, response: NodeResponse, highWaterMark: number): void {
  const connection = attach({
    write: (bytes) => response.write(bytes) || response.writableLength < highWaterMark,
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

function attachChunked(attach: Attach, response: ChunkedResponse, highWaterMark: number): void {
  const sink = new ChunkedSink(response, highWaterMark, () => connection.drained())
  const connection = attach(sink)
  response.on('close', () => {
    sink.release()
    connection.gone()
  })
  sink.together(() => connection.opened())
}

/** `connection` is of HTTP/1.1 alone. */
function nodeHeaders({ connection, ...headers }: AnswerHeaders, { stream }: NodeResponse): Record<string, string | string[]> {
  const kept = connection === undefined || stream ? headers : { connection, ...headers }
  return Object.fromEntries(Object.entries(kept).map(([name, value]) => [name, typeof value === 'string' ? value : [...value]]))
}
