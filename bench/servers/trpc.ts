import { initTRPC, tracked } from '@trpc/server'
import { createHTTPServer } from '@trpc/server/adapters/standalone'
import { createBus } from './bus.ts'
import { ready } from './control.ts'
import { missedSamples } from './missed.ts'
import { options } from './options.ts'

const missed = missedSamples()
const bus = createBus()
const trpc = initTRPC.create({ sse: { ping: { enabled: false } } })

const router = trpc.router({
  sse: trpc.procedure.subscription(async function* ({ signal }) {
    for (const sample of missed) yield tracked(String(sample.id), sample)
    for await (const sample of bus.listen(signal)) yield sample
  }),
})

const server = createHTTPServer({ router })
server.requestTimeout = 0
server.listen(options.port, '127.0.0.1', 4096, () => ready())
