// A plain ReadableStream per client, and the same bytes put into each: the least that a web handler can do.
import { takeOrders } from './control.ts'
import { HEAD } from './node-http.ts'
import { encodeSample } from './sample.ts'
import { serveWeb } from './web-server.ts'

const encoder = new TextEncoder()
const hello = encoder.encode(':ok\n\n')
const streams = new Set<ReadableStreamDefaultController<Uint8Array>>()

function open(): ReadableStream<Uint8Array> {
  let stream: ReadableStreamDefaultController<Uint8Array>
  return new ReadableStream({
    start(controller) {
      stream = controller
      streams.add(controller)
      controller.enqueue(hello)
    },
    cancel() {
      streams.delete(stream)
    },
  })
}

await serveWeb(() => new Response(open(), { headers: HEAD }))

takeOrders((samples) => {
  const bytes = encoder.encode(samples.map(encodeSample).join(''))
  for (const stream of streams) stream.enqueue(bytes)
})
