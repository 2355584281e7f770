import type { Answer } from './http.ts'
import type { Attach } from './sink.ts'

/** What `handleNode` uses of a request: `IncomingMessage` of node:http, `Http2ServerRequest`, and what frameworks wrap around them. */
export interface NodeRequest {
  readonly method?: string | undefined
  readonly url?: string | undefined
  readonly headers: { readonly [name: string]: string | readonly string[] | undefined }
}

/** What `handleNode` uses of a response: `ServerResponse` of node:http, `Http2ServerResponse`, and what frameworks wrap around them. */
export interface NodeResponse {
  readonly destroyed?: boolean
  /** HTTP/2 tells of the end here only. */
  readonly stream?: { readonly destroyed: boolean } | undefined
  readonly writableLength: number
  writeHead(status: number, headers: Record<string, string>): unknown
  write(chunk: Uint8Array): boolean
  end(): unknown
  end(text: string): unknown
  destroy(): unknown
  on(event: 'close' | 'drain' | 'error', listener: () => void): unknown
}

/** Answers on a node response. */
export function nodeResponse({ status, headers, body }: Answer, response: NodeResponse, highWaterMark: number, attach: Attach): void {
  // The client left while the application was still deciding.
  if (response.destroyed || response.stream?.destroyed) return
  response.writeHead(status, { ...headers })
  if (body !== 'stream') {
    response.end(body.text)
    return
  }
  const connection = attach({
    write: (bytes) => response.write(bytes) || response.writableLength < highWaterMark,
    end: () => response.end(),
    destroy: () => response.destroy(),
  })
  response.on('drain', () => connection.drained())
  // Not the request's 'close': it does not come once the request's body was read.
  response.on('close', () => connection.gone())
  // A reset by the peer is followed by 'close'; without a listener it would end the process.
  response.on('error', () => {})
  connection.opened()
}
