// eventwire on node:http.
import { takeOrders } from './control.ts'
import { emitter, fillLog, publish, TOPIC } from './eventwire-emitter.ts'
import { listen } from './node-http.ts'

const lastEventId = await fillLog()

listen(
  (request, response) => {
    // With topics of their own, the load asks for /t0, /t1, …
    const topic = request.url === '/sse' ? TOPIC : (request.url ?? '').slice(1)
    emitter.handleNode(request, response, { topics: [topic] })
  },
  lastEventId === undefined ? {} : { lastEventId },
)
takeOrders(publish)
