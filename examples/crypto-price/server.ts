import { setTimeout } from 'node:timers/promises'
import { streamEvents } from 'eventwire/server'
import { serve } from '../shared/serve.ts'
import { events } from './events.ts'

let clients = 0

const prices = streamEvents(events, async function* ({ signal }) {
  const client = `client ${++clients}`
  console.log(`${client}: prices start`)
  let usd = 64_000
  let count = 0
  try {
    while (true) {
      yield { event: 'price', data: { symbol: 'BTC', usd: Math.round(usd), at: Date.now() } }
      count++
      // Rejects when the client leaves.
      await setTimeout(1_000, undefined, { signal })
      usd *= 1 + (Math.random() - 0.5) / 200
    }
  } finally {
    console.log(`${client}: prices stop after ${count}`)
  }
})

await serve({
  name: 'crypto-price',
  routes: { '/prices': (req, res) => prices.handleNode(req, res) },
  shell: (url) => [`curl -N ${url}/prices`],
  close: () => prices.close(),
})
