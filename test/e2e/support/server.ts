// An event stream's server in a process of its own: so that its memory can be measured, and its machine be cut off.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { defineEvents, text } from 'eventwire'
import { createEmitter, type CloseOptions, type EmitterStats, type HistoryOptions } from 'eventwire/server'

export interface ServerConfig {
  /** Which way in the emitter is asked: `web` through an adapter, with a `Request`. */
  readonly path: 'node' | 'web'
  readonly policy?: 'gap' | 'disconnect' | 'latest'
  readonly history?: HistoryOptions
  readonly heartbeat?: number
  readonly stallTimeout?: number
  readonly retry?: number
  /** What to listen on. Default: 127.0.0.1. */
  readonly host?: string
}

/** How events are made: event `n` goes to topic `n % topics`; it has the key `n % keys`, but every `plain`-th has none. */
export interface Emission {
  readonly from: number
  readonly count: number
  readonly bytes: number
  readonly topics: number
  readonly keys: number
  readonly plain: number
}

export interface Memory {
  readonly rss: number
  /** What is reachable: heap and buffers, after a collection of the garbage. */
  readonly live: number
}

/** What the server tells unasked: the stream of a client has opened, is at its end by whoever's doing, or is gone. */
export interface Told {
  readonly tells: 'connected' | 'ended' | 'disconnected'
  readonly name: string
  /** When, in microseconds. */
  readonly at: number
  /** How many events had been emitted. */
  readonly head: number
}

export interface Call {
  readonly id: number
  readonly name: keyof Methods
  readonly args: readonly unknown[]
}

export type Answer = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly error: string }

const config = JSON.parse(process.argv[2]!) as ServerConfig

const emitter = createEmitter(defineEvents({ message: text() }), {
  heartbeat: config.heartbeat,
  stallTimeout: config.stallTimeout,
  retry: config.retry,
  history: config.history,
  slowConsumer: config.policy === 'latest' ? { latest: ({ data }) => /k(\d+)/.exec(data.slice(0, 60))?.[1] } : config.policy,
  connect(request) {
    const { searchParams } = new URL(request.url)
    const topics = searchParams.getAll('topic')
    return { topics: topics.includes('*') ? '*' : topics, context: searchParams.get('name') ?? '' }
  },
  onConnect({ context: name, signal }) {
    tell('connected', name)
    signal.addEventListener('abort', () => tell('ended', name))
  },
  onDisconnect: ({ context: name }) => tell('disconnected', name),
})

let emitted = 0
let publishing: ReturnType<typeof setInterval> | undefined

const web = getRequestListener((request) => emitter.handle(request), { overrideGlobalObjects: false })
const server = createServer((request: IncomingMessage, response: ServerResponse) => {
  if (config.path === 'node') emitter.handleNode(request, response)
  else void web(request, response)
})

const methods = {
  /** Gives the port. */
  async listen(): Promise<number> {
    await new Promise<void>((resolve) => server.listen(0, config.host ?? '127.0.0.1', resolve))
    const address = server.address()
    return typeof address === 'object' && address ? address.port : 0
  },
  /** Emits in one tick. Each event begins with `~`, when it was emitted, its number and its key. */
  emit(emission: Emission): number {
    for (let n = emission.from; n < emission.from + emission.count; n++) emitOne(n, emission)
    return emission.from + emission.count
  },
  /** Emits an event to everyone, again and again, every `ms`. */
  publish(ms: number): void {
    publishing = setInterval(() => void emitter.emit('message', `~${stamp()} ${++emitted}`), ms)
  },
  /** Emits large events every so many ms. Gives how many beats passed from when no socket took a byte more until the last connection was gone. */
  async flood(bytes: number, beat: number, every: number): Promise<number> {
    const data = '~'.padEnd(bytes, 'x')
    return new Promise((resolve) => {
      let beats = 0
      let taken = 0
      const clock = setInterval(() => beats++, beat)
      const flow = setInterval(() => {
        const { connections, lag } = emitter.stats()
        if (connections === 0) {
          clearInterval(clock)
          clearInterval(flow)
          return resolve(beats)
        }
        // A socket takes bytes as long as the kernel does.
        const written = [...sockets].reduce((sum, socket) => sum + socket.bytesWritten - socket.writableLength, 0)
        if (lag === 0 || written !== taken) beats = 0
        taken = written
        void emitter.emit('message', data)
      }, every)
    })
  },
  memory(): Memory {
    const { rss } = process.memoryUsage()
    // Buffers are freed beside the program; the second collection waits for the first one's.
    globalThis.gc!()
    globalThis.gc!()
    const { heapUsed, external } = process.memoryUsage()
    return { rss, live: heapUsed + external }
  },
  stats: (): EmitterStats => emitter.stats(),
  now,
  /** Closes, and closes again at once. Gives how many connections were there when each call resolved. */
  async close(options: CloseOptions): Promise<number[]> {
    const left = Promise.all([options, {}].map((it) => emitter.close(it).then(() => emitter.stats().connections)))
    await left
    clearInterval(publishing)
    return left
  },
}

export type Methods = typeof methods

const sockets = new Set<Socket>()
server.on('connection', (socket) => {
  sockets.add(socket)
  socket.on('close', () => sockets.delete(socket))
})

function emitOne(n: number, { bytes, topics, keys, plain }: Emission): void {
  const key = n % plain === 0 ? '-' : `k${n % keys}`
  emitted++
  void emitter.emit('message', `~${stamp()} ${n} ${key} `.padEnd(bytes, 'x'), { topic: `t${n % topics}` })
}

/** Microseconds of a clock that all processes of the machine share, in 16 digits. */
function stamp(): string {
  return String(now()).padStart(16, '0')
}

function now(): number {
  return Number(process.hrtime.bigint() / 1_000n)
}

function tell(tells: Told['tells'], name: string): void {
  process.send!({ tells, name, at: now(), head: emitted } satisfies Told)
}

async function answer({ id, name, args }: Call): Promise<Answer> {
  try {
    const method = methods[name] as (...given: readonly unknown[]) => unknown
    return { id, result: await method(...args) }
  } catch (error) {
    return { id, error: String(error) }
  }
}

process.on('message', (call: Call) => {
  void answer(call).then((it) => process.send!(it))
})
process.on('disconnect', () => process.exit())
