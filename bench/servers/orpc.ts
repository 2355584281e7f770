import { MemoryPublisher } from '@orpc/experimental-publisher/memory'
import { os } from '@orpc/server'
import { RPCHandler } from '@orpc/server/node'
import { takeOrders } from './control.ts'
import { listen } from './node-http.ts'
import { missedSamples } from './missed.ts'
import { options } from './options.ts'
import type { Sample } from './sample.ts'

// Its default of 100 would drop what a client of this load has yet to read, and say nothing.
const MOST_BUFFERED = 1_000_000

const publisher = new MemoryPublisher<{ sample: Sample }>({
  maxBufferedEvents: MOST_BUFFERED,
  ...(options.missed === 0 ? {} : { resumeRetentionSeconds: 3_600 }),
})
const resume = options.missed === 0 ? {} : { lastEventId: '0' }
for (const sample of missedSamples()) await publisher.publish('sample', sample)

const sse = os.handler(async function* ({ signal }) {
  yield 'hello'
  for await (const sample of publisher.subscribe('sample', { ...(signal && { signal }), ...resume })) yield sample
})
const handler = new RPCHandler({ sse }, { strictGetMethodPluginEnabled: false })

listen((request, response) => void handler.handle(request, response, { context: {} }))

takeOrders((samples) => {
  for (const sample of samples) void publisher.publish('sample', sample)
})
