import { redisLog } from 'eventwire/redis'
import { createEmitter, memoryLog, publishHandler } from 'eventwire/server'
import * as z from 'zod'
import { readJson, Refusal, sendJson } from '../shared/http.ts'
import { serve, type Handler } from '../shared/serve.ts'
import { events, ROOMS, Said } from './events.ts'
import { cookieOf, userOf } from './session.ts'

const redis = process.env['REDIS_URL']
const stranger = Response.json({ detail: 'Sign in first.' }, { status: 401 })

const emitter = createEmitter(events, {
  // The log is the history. In Redis, all processes have it in common.
  log: redis ? redisLog({ url: redis, key: 'chat', retention: { events: 1_000 } }) : memoryLog({ events: 1_000 }),
  // Who comes in hears first what was said before.
  start: 'oldest',
  // While Redis is away, the message says what to do about it.
  onError: ({ message }) => console.error(message),
  connect(request) {
    if (!userOf(request.headers.get('cookie'))) return stranger
    const room = new URL(request.url).searchParams.get('room') ?? ''
    if (!ROOMS.includes(room)) return new Response('There is no such room.', { status: 404 })
    return { topics: [room] }
  },
})

const say = publishHandler(emitter, {
  authorize(request, { topic = '', data }) {
    const user = userOf(request.headers.get('cookie'))
    if (!user) return stranger
    // In a room that there is, and in nobody else's name.
    return ROOMS.includes(topic) && Said.pick({ from: true }).safeParse(data).data?.from === user
  },
})

const Name = z.object({ name: z.string().trim().min(1).max(20) })

/** GET: who I am. POST: says who. */
const me: Handler = async (req, res) => {
  if (req.method === 'GET') return sendJson(res, 200, { name: userOf(req.headers.cookie) ?? null })
  if (req.method !== 'POST') throw new Refusal(405, 'Ask with GET, sign in with POST.', { allow: 'GET, POST' })
  const { data } = Name.safeParse(await readJson(req))
  if (!data) throw new Refusal(422, 'Send { "name": "…" }, of 1 to 20 characters.')
  sendJson(res, 200, data, { 'set-cookie': cookieOf(data.name) })
}

await serve({
  name: 'chat',
  routes: {
    '/events': (req, res) => emitter.handleNode(req, res),
    '/say': (req, res) => say.handleNode(req, res),
    '/me': me,
  },
  shell: (url) => [
    `curl -c jar --json '{ "name": "Ada" }' ${url}/me`,
    `curl -b jar -N '${url}/events?room=Lobby'`,
    `curl -b jar --json '{ "event": "said", "topic": "Lobby", "data": { "from": "Ada", "text": "hello" } }' ${url}/say`,
    redis
      ? '# Another process on the same log:'
      : '# The log is in the memory of this process. To have several on one log in Redis, start each like this:',
    // Not the address itself: it may hold a password.
    `REDIS_URL=${redis ? '"$REDIS_URL"' : 'redis://127.0.0.1:6379'} PORT=${Number(new URL(url).port) + 1} npm run example chat`,
  ],
  close: () => emitter.close(),
})
