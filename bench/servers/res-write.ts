// What most servers do: a set of responses, and `write` of the event's text on each.
import type { ServerResponse } from 'node:http'
import { takeOrders } from './control.ts'
import { listen, openStream } from './node-http.ts'
import { encodeSample } from './sample.ts'

const responses = new Set<ServerResponse>()

listen((_request, response) => {
  openStream(response)
  responses.add(response)
  response.on('close', () => responses.delete(response))
})

takeOrders((samples) => {
  for (const sample of samples) {
    const text = encodeSample(sample)
    for (const response of responses) response.write(text)
  }
})
