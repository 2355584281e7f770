// Writes the same prepared bytes to everyone who connects: the least that a replay can cost on node.
import { missedSamples } from './missed.ts'
import { frame, HEAD, listen } from './node-http.ts'
import { encodeSample } from './sample.ts'

const bytes = frame(missedSamples().map(encodeSample).join(''))

listen((_request, response) => {
  response.writeHead(200, HEAD)
  response.flushHeaders()
  response.socket?.write(bytes)
})
