// eventwire on node:http2.
import { createServer } from 'node:http2'
import { ready, takeOrders } from './control.ts'
import { emitter, publish, TOPIC } from './eventwire-emitter.ts'
import { options } from './options.ts'

const server = createServer({ settings: { maxConcurrentStreams: 10_000 } }, (request, response) => {
  emitter.handleNode(request, response, { topics: [TOPIC] })
})
server.on('sessionError', () => {})
server.listen(options.port, '127.0.0.1', 4096, () => ready())
takeOrders(publish)
