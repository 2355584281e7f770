import { EventwireError } from '../errors.ts'
import type { Answer } from './http.ts'
import type { Attach, Sink, SinkListener } from './sink.ts'

/**
 * The response for web runtimes. It attaches when the body is first read, so a response that nobody reads leaves nothing
 * behind, and `pull` is the drain: with a high-water mark of 0 it is called when a reader waits and the stream is empty.
 */
export function webResponse({ status, headers, body }: Answer, signal: AbortSignal, highWaterMark: number, attach: Attach): Response {
  if (body !== 'stream') return new Response(body.text || null, { status, headers })
  let connection: SinkListener | undefined
  let leave = (): void => {}
  const over = (): void => {
    signal.removeEventListener('abort', leave)
    connection?.gone()
  }
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (connection) return connection.drained()
        if (signal.aborted) return controller.close()
        const sink = webSink(controller, highWaterMark, over)
        // Quietly: to a runtime, an error of the stream is one of the server.
        leave = sink.end
        signal.addEventListener('abort', leave, { once: true })
        connection = attach(sink)
        connection.opened()
      },
      cancel: over,
    },
    { highWaterMark: 0, size: ({ byteLength }) => byteLength },
  )
  return new Response(stream, { status, headers })
}

function webSink(controller: ReadableStreamDefaultController<Uint8Array>, highWaterMark: number, over: () => void): Sink {
  return {
    write(bytes) {
      // A copy: whoever reads owns what it gets, and may transfer it away from the log and the other connections.
      controller.enqueue(bytes.slice())
      return (controller.desiredSize ?? 0) > -highWaterMark
    },
    end() {
      controller.close()
      over()
    },
    destroy() {
      // An error, where closing would keep what is queued until it is read.
      controller.error(new EventwireError('timeout', 'The connection was ended because its client had stopped reading.'))
      over()
    },
  }
}
