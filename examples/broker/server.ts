import { createEmitter } from 'eventwire/server'
import { PORT, serve } from '../shared/serve.ts'
import { events } from './events.ts'

/** Time between two events, in ms. With EVERY=1 it is soon seen what becomes of a client that does not keep up. */
const EVERY = Number(process.env['EVERY'] ?? 2_000)

let clients = 0

const emitter = createEmitter(events, {
  // Nobody waits for a slow client: it reads on when it can, and of the times that it missed the newest will do.
  slowConsumer: { latest: () => 'now' },
  // One that takes nothing more is ended, as is one that has vanished without a FIN: at the first heartbeat after the stall timeout.
  heartbeat: 5_000,
  stallTimeout: 10_000,
  // While a little fits into the kernel's buffer it is TCP that notices, for Linux after 16 minutes (`sysctl net.ipv4.tcp_retries2=8`: two).
  connect: () => ({ context: `client ${++clients}`, maxAge: '10m' }),
  // Pages at these addresses may listen.
  cors: { origins: ['127.0.0.1', 'localhost'].map((host) => new URL(`http://${host}:${PORT}`).origin) },
  onConnect: ({ context }) => console.log(`${context} has come`),
  onSlow: ({ context }) => console.log(`${context} is slow`),
  onDisconnect: ({ context }) => console.log(`${context} is gone`),
})

// The one source. It costs the same whoever listens.
setInterval(() => void emitter.emit('time', { now: new Date().toISOString() }), EVERY)

await serve({
  name: 'broker',
  routes: { '/events': (req, res) => emitter.handleNode(req, res) },
  shell: (url) => [`curl -N ${url}/events`],
  close: () => emitter.close(),
})
