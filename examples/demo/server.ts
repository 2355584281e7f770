import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createEmitter, memoryLog } from 'eventwire/server'
import { loadAssets } from './assets.ts'
import { events } from './events.ts'
import { sampleMachine } from './metrics.ts'
import { createRouter, type Handler, type Methods } from './router.ts'
import { sendEvent } from './send-event.ts'
import { createStreams } from './streams.ts'

const HOST = '127.0.0.1'

/** How long requests that are under way may take once the server is told to stop, in ms. */
const GRACE = 500

// Small, so that it is soon seen what a bounded log means: 200 events are not quite two minutes.
const log = memoryLog({ events: 200 })
const emitter = createEmitter(events, { log })
const streams = createStreams(emitter)
const stopping = new AbortController()

const restartLog: Handler = (_request, response) => {
  log.clear()
  response.writeHead(204).end()
}

const server = createServer(
  createRouter(
    new Map<string, Methods>([
      ...(await loadAssets()),
      ['/events', { GET: streams.open }],
      ['/send-event', { POST: sendEvent(emitter) }],
      ['/cut', { POST: streams.cut }],
      ['/restart-log', { POST: restartLog }],
    ]),
  ),
)

start(process.env['PORT'] || '3000')

function start(port: string): void {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) return fail(`PORT is ${JSON.stringify(port)}; give a number from 0 to 65535.`)
  server.once('error', ({ code, message }: NodeJS.ErrnoException) =>
    fail(
      code === 'EADDRINUSE'
        ? `Port ${port} is taken. Choose another: PORT=${Number(port) + 1} npm run demo`
        : `Cannot listen on port ${port}: ${message}`,
    ),
  )
  server.listen(Number(port), HOST, () => {
    const url = `http://${HOST}:${(server.address() as AddressInfo).port}`
    console.log(`The page:    ${url}
The stream:  curl -N ${url}/events
A message:   curl --json '{ "message": "hello" }' ${url}/send-event
To stop:     Ctrl-C`)
    // Not once: npm passes on the Ctrl-C that the terminal has sent to all.
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, stop)
    void publish()
  })
}

async function publish(): Promise<void> {
  try {
    for await (const metrics of sampleMachine(stopping.signal)) await emitter.emit('metrics', metrics)
  } catch (error) {
    if (!stopping.signal.aborted) throw error
  }
}

function stop(): void {
  stopping.abort()
  server.close()
  void emitter.close().then(() => server.closeIdleConnections())
  // Who neither reads nor leaves does not keep the process.
  setTimeout(() => server.closeAllConnections(), GRACE).unref()
}

function fail(message: string): void {
  console.error(message)
  process.exitCode = 1
}
