import { serve } from '@hono/node-server'
import { Hono } from 'hono'
import { streamSSE, type SSEStreamingApi } from 'hono/streaming'
import { ready, takeOrders } from './control.ts'
import { options } from './options.ts'

const streams = new Set<SSEStreamingApi>()
const app = new Hono()

app.get('/sse', (context) =>
  streamSSE(context, async (stream) => {
    await stream.writeSSE({ data: 'hello' })
    streams.add(stream)
    await new Promise<void>((resolve) => stream.onAbort(resolve))
    streams.delete(stream)
  }),
)
serve({ fetch: app.fetch, port: options.port, hostname: '127.0.0.1' }, () => ready())

takeOrders((samples) => {
  for (const sample of samples) for (const stream of streams) void stream.writeSSE({ data: JSON.stringify(sample) })
})
