import { setTimeout } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { streamEvents } from 'eventwire/server'
import { serve } from '../shared/serve.ts'
import { events, STATES } from './events.ts'

/** Time between two polls, in ms. */
const INTERVAL = Number(process.env['INTERVAL'] || 10_000)

const NGINX = fileURLToPath(new URL('nginx.conf', import.meta.url))

let clients = 0

const polls = streamEvents(events, { connect: ended }, async function* ({ lastEventId, signal }) {
  const client = `client ${++clients}`
  let state = lastEventId
  console.log(`${client}: polling ${state ? `again, after ${state}` : 'starts'}`)
  try {
    while (state !== 'Done') {
      // At once, and then now and then. Rejects when the client leaves.
      if (state) await setTimeout(INTERVAL, undefined, { signal })
      state = poll(state)
      // Who is cut off comes back with the id, and is not told again what it knows.
      yield { event: 'status', data: state, id: state }
    }
  } finally {
    console.log(`${client}: polling stops at ${state}`)
  }
})

/** A subscriber knows an end when it sees one. A plain EventSource comes back after each, unless it is told not to: by 204. */
function ended({ headers }: Request): Response | undefined {
  return headers.get('last-event-id') === 'Done' ? new Response(null, { status: 204 }) : undefined
}

/** Asks how far a deploy is. This one is a step further whenever it is asked. */
function poll(before = ''): string {
  return STATES[STATES.indexOf(before) + 1] ?? 'Done'
}

await serve({
  name: 'status',
  routes: { '/events': (req, res) => polls.handleNode(req, res) },
  shell: (url) => [
    `curl -N ${url}/events`,
    `nginx -e stderr -p "$(mktemp -d)" -c ${NGINX}`,
    'curl -N http://127.0.0.1:8080/events   # the same through nginx',
  ],
  close: () => polls.close(),
})
