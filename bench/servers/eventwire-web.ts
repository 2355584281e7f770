// eventwire as a web handler: on Bun and Deno by their own servers, on node through @hono/node-server.
import { takeOrders } from './control.ts'
import { emitter, publish, TOPIC } from './eventwire-emitter.ts'
import { serveWeb } from './web-server.ts'

await serveWeb((request) => emitter.handle(request, { topics: [TOPIC] }))
takeOrders(publish)
