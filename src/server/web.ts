import { EventwireError } from '../errors.ts'
import type { Answer, AnswerHeaders } from './http.ts'
import type { Attach, Sink, SinkListener } from './sink.ts'

const NULL_BODY = new Set([101, 204, 205, 304])

/** Cloudflare's Workers would encode a body as its `content-encoding` says, were they not told that it is. Others do not know the word. */
const AS_IT_IS: object = { encodeBody: 'manual' }

/** The response for web runtimes. */
export function webResponse({ status, headers, body }: Answer, request: Request, highWaterMark: number): Response {
  const init = { status, headers: webHeaders(headers), ...AS_IT_IS }
  if (typeof body === 'function') return new Response(streamOf(body, request, highWaterMark), init)
  return new Response(body === '' || NULL_BODY.has(status) ? null : body, init)
}

/**
 * The body of a stream. It attaches when it is first read, so a response that nobody reads leaves nothing behind, and
 * `pull` is the drain: with a high-water mark of 0 it is called when a reader waits and the stream is empty.
 *
 * It holds on to the request: on node the signal of a request that has become garbage does not abort any more.
 */
function streamOf(attach: Attach, request: Request, highWaterMark: number): ReadableStream<Uint8Array> {
  let connection: SinkListener | undefined
  let leave = (): void => {}
  const over = (): void => {
    request.signal.removeEventListener('abort', leave)
    connection?.gone()
  }
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (connection) return connection.drained()
        if (request.signal.aborted) return controller.close()
        const sink = webSink(controller, highWaterMark, over)
        // Quietly: to a runtime, an error of the stream is one of the server.
        leave = sink.end
        request.signal.addEventListener('abort', leave, { once: true })
        connection = attach(sink)
        connection.opened()
      },
      cancel: over,
    },
    { highWaterMark: 0, size: ({ byteLength }) => byteLength },
  )
}

function webSink(controller: ReadableStreamDefaultController<Uint8Array>, highWaterMark: number, over: () => void): Sink {
  return {
    write(bytes) {
      // A copy: whoever reads owns what it gets, and may transfer it away from the log and the other connections.
      controller.enqueue(bytes.slice())
      return (controller.desiredSize ?? 0) > -highWaterMark
    },
    get buffered() {
      return -(controller.desiredSize ?? 0)
    },
    end() {
      controller.close()
      over()
    },
    destroy() {
      // An error, where closing would keep what is queued until it is read.
      controller.error(new EventwireError('timeout', 'The stream was cut: its client had stopped reading, or the server is closing.'))
      over()
    },
  }
}

function webHeaders(headers: AnswerHeaders): Headers {
  const result = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    for (const one of typeof value === 'string' ? [value] : value) result.append(name, one)
  }
  return result
}
