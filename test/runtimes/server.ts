import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { constants, gzipSync } from 'node:zlib'
import { createEmitter, streamEvents, type Connection, type Emitter } from 'eventwire/server'
import { answer, market, type Answer, type Emit, type Flood, type Seen } from './suite.ts'

/** What the suite runs against. */
export interface Servers {
  /** The origin of the streams. */
  readonly origin: string
  /** The address of a page that runs the suite; it has an origin of its own. */
  readonly page: string
  close(): Promise<void>
}

/** Pages of any origin may ask. */
const CORS = { origins: '*' } as const
const ALLOWED = { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'retry-after' }

const STREAM: Readonly<Record<string, string>> = { 'content-type': 'text/event-stream' }

/** How long the transport takes nothing before the flood counts as stopped, in ms. */
const STOPPED = 500

/** Starts a server of streams and one of a page with a script. */
export async function startServers(script: string): Promise<Servers> {
  const streams = createStreams()
  const servers = [createServer(streams.respond), createServer(answerPage(script))]
  const [origin = '', pages = ''] = await Promise.all(servers.map(listen))
  return {
    origin,
    page: `${pages}/?${encodeURIComponent(origin)}`,
    async close() {
      await streams.close()
      await Promise.all(servers.map(stop))
    },
  }
}

function answerPage(script: string): RequestListener {
  const files: Readonly<Record<string, readonly [type: string, body: string]>> = {
    '/page.js': ['text/javascript', script],
    '/stream': ['text/event-stream', 'data: of this origin\n\n'],
  }
  const page = ['text/html', '<!doctype html><title>The suite</title><script type="module" src="/page.js"></script>'] as const
  return (request, response) => {
    const [type, body] = files[request.url!] ?? page
    response.setHeader('content-type', `${type}; charset=utf-8`).end(body)
  }
}

/** `/<world>/control/<action>` controls what the other paths of a world answer. */
function createStreams(): { respond: RequestListener; close(): Promise<unknown> } {
  const worlds = new Map<string, World>()
  const answers = streamEvents(answer, { cors: CORS }, async function* ({ request }) {
    const words = (await request.text()).split(' ')
    for (const word of words) yield { event: 'word', data: word }
    yield { event: 'done', data: { words: words.length } }
  })

  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method === 'OPTIONS') return allow(response)
    const { pathname, searchParams } = new URL(request.url!, 'http://host')
    const [, id = '', route = '', action = ''] = pathname.split('/')
    const world = worlds.get(id) ?? new World()
    worlds.set(id, world)
    if (route === 'control') {
      const result = await world.control(action, JSON.parse(await text(request)))
      return void response.writeHead(200, ALLOWED).end(JSON.stringify(result ?? null))
    }
    await world.enter(request, response)
    if (route === 'events') world.emitter.handleNode(request, response)
    else if (route === 'answer') answers.handleNode(request, response)
    else if (route === 'flood') await world.flood(response, Number(searchParams.get('events')))
    else await world.play(response)
  }

  return {
    respond(request, response) {
      respond(request, response).catch((error: unknown) => response.writeHead(500, ALLOWED).end(String(error)))
    },
    close: () => Promise.all([answers, ...Array.from(worlds.values(), ({ emitter }) => emitter)].map((it) => it.close())),
  }
}

/** What a scenario has to itself. */
class World {
  emitter: Emitter<typeof market> = createEmitter(market, { cors: CORS })
  readonly #seen: Seen[] = []
  readonly #open = new Set<ServerResponse>()
  readonly #connections = new Set<Connection<typeof market>>()
  #script: Answer[] = []
  #flood = Promise.withResolvers<Flood>()
  #changed = Promise.withResolvers<void>()

  /** Keeps account of a request for a stream. */
  async enter(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#open.add(response)
    response.on('close', () => {
      this.#open.delete(response)
      this.#change()
    })
    const { pathname, searchParams } = new URL(request.url!, 'http://host')
    this.#seen.push({
      method: request.method!,
      query: Object.fromEntries(searchParams),
      headers: Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)])),
      // What is ours reads the body itself.
      body: pathname.endsWith('/script') ? await text(request) : '',
      at: performance.now(),
    })
    this.#change()
  }

  async control(action: string, body: unknown): Promise<unknown> {
    switch (action) {
      case 'emit':
        return Promise.all((body as Emit[]).map((emit) => this.#emit(emit)))
      case 'cut':
        return this.#cut()
      case 'end':
        for (const connection of this.#connections) connection.close()
        return undefined
      case 'compress':
        this.emitter = createEmitter(market, {
          cors: CORS,
          compression: 'shared',
          onConnect: (connection) => void this.#connections.add(connection),
          onDisconnect: (connection) => void this.#connections.delete(connection),
        })
        return undefined
      case 'restart': {
        const { emitter } = this
        this.emitter = createEmitter(market, { cors: CORS })
        this.#cut()
        return emitter.close()
      }
      case 'script':
        this.#script = body as Answer[]
        return undefined
      case 'requests':
        while (this.#seen.length < (body as number)) await this.#changed.promise
        return this.#seen
      case 'open':
        while (this.#open.size !== body) await this.#changed.promise
        return undefined
      case 'flooded':
        return this.#flood.promise
      default:
        throw new Error(`There is no ${action}.`)
    }
  }

  /** Says the next answer of the script. */
  async play(response: ServerResponse): Promise<void> {
    const { silent, status = 200, headers = STREAM, body = '', step = Infinity, open = false } = this.#script.shift() ?? { status: 410 }
    if (silent) return
    response.writeHead(status, { ...ALLOWED, ...headers })
    response.flushHeaders()
    const bytes = headers['content-encoding'] ? gzipSync(body, { finishFlush: constants.Z_SYNC_FLUSH }) : Buffer.from(body)
    for (let start = 0; start < bytes.length; start += step) {
      response.write(bytes.subarray(start, start + step))
      // Else the next piece would leave in the same packet.
      await sleep(1)
    }
    if (!open) response.end()
  }

  /** Sends large events as fast as they are taken, up to a number of them. */
  async flood(response: ServerResponse, events: number): Promise<void> {
    const gone = new AbortController()
    response.on('close', () => gone.abort()).writeHead(200, { ...ALLOWED, ...STREAM })
    for (let sent = 0; sent < events && !gone.signal.aborted; sent++) {
      if (response.write(`data: ${sent} ${'x'.repeat(64 << 10)}\n\n`)) continue
      const stopped = setTimeout(() => this.#flood.resolve({ sent, all: false }), STOPPED)
      await once(response, 'drain', { signal: gone.signal }).catch(() => {})
      clearTimeout(stopped)
    }
    this.#flood.resolve({ sent: events, all: true })
  }

  #emit([event, data]: Emit): Promise<string> {
    return event === 'price' ? this.emitter.emit(event, data) : this.emitter.emit(event, data)
  }

  #cut(): void {
    for (const { socket } of this.#open) socket?.destroy()
  }

  #change(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}

/** Answers a preflight. */
function allow(response: ServerResponse): void {
  response.writeHead(204, { ...ALLOWED, 'access-control-allow-headers': 'authorization, content-type, last-event-id' }).end()
}

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function stop(server: Server): Promise<unknown> {
  server.closeAllConnections()
  return new Promise((resolve) => server.close(resolve))
}
