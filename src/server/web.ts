import { EventwireError } from '../errors.ts'
import type { Answer } from './http.ts'
import type { Attach, Sink, SinkListener } from './sink.ts'

/**
 * The response for web runtimes. It attaches when the body is first read, so a response that nobody reads leaves nothing
 * behind, and `pull` is the drain: with a high-water mark of 0 it is called when a reader waits and the stream is empty.
 */
export function webResponse({ status, headers, body }: Answer, signal: AbortSignal, highWaterMark: number, attach: Attach): Response {
  if (body !== 'stream') return new Response(body.text || null, { status, headers })
  let sink: Sink | undefined
  let connection: SinkListener | undefined
  const leave = (): void => sink?.destroy()
  const over = (): void => {
    signal.removeEventListener('abort', leave)
    connection?.gone()
  }
  const stream = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (connection) return connection.drained()
        if (signal.aborted) return controller.close()
        signal.addEventListener('abort', leave, { once: true })
        sink = webSink(controller, highWaterMark, over)
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
      controller.enqueue(bytes)
      return (controller.desiredSize ?? 0) > -highWaterMark
    },
    end() {
      controller.close()
      over()
    },
    destroy() {
      // An error, where closing would keep what is queued until it is read.
      controller.error(new EventwireError('timeout', 'The connection was ended because its client had left or stopped reading.'))
      over()
    },
  }
}
