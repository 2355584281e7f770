import { setInterval } from 'node:timers/promises'
import { streamEvents } from 'eventwire/server'
import { serve } from '../shared/serve.ts'
import { events } from './events.ts'
import { merge } from './merge.ts'

let clients = 0

// One call for each connection, and so two workers of its own.
const hello = streamEvents(events, async function* ({ signal }) {
  const client = `client ${++clients}`
  console.log(`${client} has come`)
  yield* merge(work(client, 'foo', 2_000, signal), work(client, 'bar', 4_000, signal))
})

/** Does a piece of work now and then, until the client leaves, which aborts the signal. */
async function* work(client: string, worker: 'foo' | 'bar', every: number, signal: AbortSignal) {
  let n = 0
  try {
    for await (const _ of setInterval(every, undefined, { signal })) {
      n++
      yield { event: n % 3 === 0 ? worker : ('message' as const), data: { worker, n } }
    }
  } finally {
    console.log(`${client} has left: ${worker} stopped after ${n}`)
  }
}

await serve({
  name: 'workers',
  routes: { '/hello': (req, res) => hello.handleNode(req, res) },
  shell: (url) => [`curl -N ${url}/hello`],
  close: () => hello.close(),
})
