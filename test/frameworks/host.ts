// Serves the module of a route handler, as Next.js does.
import { serve } from '@hono/node-server'

const handlers = (await import(process.argv[2]!)) as Record<string, (request: Request) => Promise<Response>>

const server = serve({ fetch: (request) => handlers[request.method]!(request), port: 0, hostname: '127.0.0.1' })
process.once('SIGTERM', () => server.close())
