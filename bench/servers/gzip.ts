// What a compressing middleware does: a gzip stream for each client, flushed after each tick.
import { constants, createGzip, type Gzip } from 'node:zlib'
import { takeOrders } from './control.ts'
import { HEAD, listen } from './node-http.ts'
import { encodeSample } from './sample.ts'

const streams = new Set<Gzip>()

listen((_request, response) => {
  response.writeHead(200, { ...HEAD, 'content-encoding': 'gzip' })
  const gzip = createGzip()
  gzip.pipe(response)
  gzip.write(':ok\n\n')
  gzip.flush(constants.Z_SYNC_FLUSH)
  streams.add(gzip)
  response.on('close', () => {
    streams.delete(gzip)
    gzip.destroy()
  })
})

takeOrders((samples) => {
  const bytes = Buffer.from(samples.map(encodeSample).join(''))
  for (const stream of streams) {
    stream.write(bytes)
    stream.flush(constants.Z_SYNC_FLUSH)
  }
})
