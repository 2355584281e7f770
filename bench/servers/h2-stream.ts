// HTTP/2 as node has it: the same bytes written to each stream.
import { createServer, type ServerHttp2Stream } from 'node:http2'
import { ready, takeOrders } from './control.ts'
import { HEAD } from './node-http.ts'
import { options } from './options.ts'
import { encodeSample } from './sample.ts'

const streams = new Set<ServerHttp2Stream>()
const server = createServer({ settings: { maxConcurrentStreams: 10_000 } })

server.on('stream', (stream) => {
  stream.respond({ ':status': 200, ...HEAD })
  stream.write(':ok\n\n')
  streams.add(stream)
  stream.on('close', () => streams.delete(stream))
  stream.on('error', () => {})
})
server.on('sessionError', () => {})
server.listen(options.port, '127.0.0.1', 4096, () => ready())

takeOrders((samples) => {
  const bytes = Buffer.from(samples.map(encodeSample).join(''))
  for (const stream of streams) stream.write(bytes)
})
