import type { IncomingMessage, ServerResponse } from 'node:http'
import { createChannel, createSession } from 'better-sse'
import { takeOrders } from './control.ts'
import { listen } from './node-http.ts'
import { missedSamples } from './missed.ts'

const missed = missedSamples()
const channel = createChannel()

async function open(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const session = await createSession(request, response)
  for (const sample of missed) session.push(sample, 'message', String(sample.id))
  channel.register(session)
}

listen((request, response) => void open(request, response))

takeOrders((samples) => {
  for (const sample of samples) channel.broadcast(sample)
})
