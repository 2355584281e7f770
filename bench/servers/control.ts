import { monitorEventLoopDelay } from 'node:perf_hooks'
import { createServer, type Socket } from 'node:net'
import { options } from './options.ts'
import { createSamples, setClock, type Sample } from './sample.ts'

/** How long the load lets a server run before it measures. */
const WARM_UP_MS = 300

/** Hands all events to every subscriber. What is published in one call belongs to one tick. */
export type Publish = (samples: Sample[]) => unknown

/**
 * Lets the load drive this server, through a port one above its own. Its first line says how:
 * `flat WINDOW BURST CLOCK` keeps so many events under way, and each byte that follows says that one has arrived everywhere;
 * `fixed RATE BURST CLOCK` publishes at that rate. Say that the server is ready, by `ready`, once it listens.
 */
export function takeOrders(publish: Publish): void {
  const control = createServer((socket) => {
    socket.setNoDelay(true)
    socket.once('data', (line) => obey(socket, String(line).trim().split(' '), publish))
    socket.on('error', () => {})
  })
  control.listen(options.port + 1, '127.0.0.1')
}

/** Tells the bench that the server listens, with what the load has to know. */
export function ready(details: { lastEventId?: string } = {}): void {
  console.log(`READY ${JSON.stringify(details)}`)
}

function obey(socket: Socket, [mode, amount, burst, clock]: string[], publish: Publish): void {
  setClock(Number(clock))
  const watch = options.watchLoop ? watchLoop() : undefined
  const stop = mode === 'flat' ? flat(socket, Number(amount), Number(burst), publish) : fixed(Number(amount), Number(burst), publish)
  // What is said before this returns is said before the load sees the end, and closes its streams.
  socket.on('end', () => {
    stop()
    console.log(`DONE ${JSON.stringify({ longestHoldMs: watch?.(), heldBytes: options.weigh ? weigh() : undefined })}`)
  })
  socket.on('close', stop)
}

// One burst per macrotask: the pump itself never merges two.
function flat(socket: Socket, window: number, burst: number, publish: Publish): () => void {
  let underWay = 0
  let scheduled = false
  let stopped = false
  const pump = (): void => {
    if (scheduled || stopped || underWay + burst > window) return
    underWay += burst
    publish(createSamples(burst))
    if (underWay + burst > window) return
    scheduled = true
    setImmediate(() => {
      scheduled = false
      pump()
    })
  }
  socket.on('data', (arrived) => {
    underWay -= arrived.length
    pump()
  })
  pump()
  return () => (stopped = true)
}

function fixed(rate: number, burst: number, publish: Publish): () => void {
  const period = (burst / rate) * 1000
  let next = performance.now()
  let timer: ReturnType<typeof setTimeout> | undefined
  const tick = (): void => {
    while (performance.now() >= next) {
      publish(createSamples(burst))
      next += period
    }
    timer = setTimeout(tick, Math.max(0, next - performance.now()))
  }
  tick()
  return () => clearTimeout(timer)
}

/** The longest time, in ms, that the loop came late to a timer of one millisecond. */
function watchLoop(): () => number {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  setTimeout(() => delay.reset(), WARM_UP_MS)
  return () => delay.max / 1e6 - 1
}

/** What is in use after a garbage collection: of RSS, nobody can say how much is garbage. */
function weigh(): number {
  const { Bun, gc } = globalThis as { Bun?: { gc(force: boolean): void }; gc?: () => void }
  // Twice: what the first has found unused is freed by the second.
  for (let i = 0; i < 2; i++) {
    Bun?.gc(true)
    gc?.()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
