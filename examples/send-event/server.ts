import { createEmitter } from 'eventwire/server'
import * as z from 'zod'
import { readJson, Refusal, sendJson } from '../shared/http.ts'
import { serve, type Handler } from '../shared/serve.ts'
import { events } from './events.ts'

// What a client missed while it was away is in the log, and replayed when it is back.
const emitter = createEmitter(events, { history: { events: 1_000, age: '1h' } })

const body = z.object({ message: z.string().trim().min(1) })

const sendEvent: Handler = async (req, res) => {
  if (req.method !== 'POST') throw new Refusal(405, 'Send a message with POST.', { allow: 'POST' })
  // Throws a Refusal with 415, 413 or 400.
  const { data } = body.safeParse(await readJson(req))
  if (!data) throw new Refusal(422, 'Send { "message": "…" }, with a text that is not blank.')
  // Nobody has to listen: then it is in the log, for those who come back.
  sendJson(res, 202, { id: await emitter.emit('message', data.message) })
}

await serve({
  name: 'send-event',
  routes: {
    '/events': (req, res) => emitter.handleNode(req, res),
    '/send-event': sendEvent,
  },
  shell: (url) => [`curl -N ${url}/events`, `curl --json '{ "message": "hello" }' ${url}/send-event`],
  close: () => emitter.close(),
})
