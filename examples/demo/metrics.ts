import { readFile } from 'node:fs/promises'
import { cpus, freemem, loadavg, totalmem } from 'node:os'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setInterval } from 'node:timers/promises'
import type { EventInput } from 'eventwire'
import type { events } from './events.ts'

/** One sample of this machine. */
export type Metrics = EventInput<typeof events, 'metrics'>

/** Time between two samples, in ms. */
const INTERVAL = 500

/** How often the event loop is looked at, in ms. */
const RESOLUTION = 10

/** Samples this machine twice a second, for ever: until the signal aborts, which throws. */
export async function* sampleMachine(signal: AbortSignal): AsyncGenerator<Metrics, void> {
  const startedAt = Date.now()
  const cpu = cpuMeter()
  const network = await networkMeter()
  const loopDelay = loopDelayMeter()
  let n = 0
  for await (const _ of setInterval(INTERVAL, undefined, { signal })) {
    const rates = await network()
    const memory = await readMemory()
    yield {
      n: ++n,
      startedAt,
      at: Date.now(),
      cpu: cpu(),
      load: loadavg()[0] ?? 0,
      cores: cpus().length,
      memory,
      loopDelay: loopDelay(),
      network: rates,
    }
  }
}

function cpuMeter(): () => number {
  let before = readCpu()
  return () => {
    const now = readCpu()
    const total = now.total - before.total
    const idle = now.idle - before.idle
    before = now
    return total > 0 ? round(1 - idle / total) : 0
  }
}

function readCpu(): { idle: number; total: number } {
  const times = cpus().map((core) => core.times)
  const idle = times.reduce((sum, time) => sum + time.idle, 0)
  return { idle, total: times.reduce((sum, { user, nice, sys, irq }) => sum + user + nice + sys + irq, idle) }
}

function loopDelayMeter(): () => number {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION })
  histogram.enable()
  return () => {
    // It measures from one look to the next, so an idle loop shows the resolution itself. Without a look there is no number.
    const late = histogram.count > 0 ? histogram.percentile(99) / 1e6 - RESOLUTION : 0
    histogram.reset()
    return round(Math.max(0, late))
  }
}

/** MemAvailable counts what the kernel would give back at once, such as caches; `freemem` does not everywhere. */
async function readMemory(): Promise<Metrics['memory']> {
  const total = totalmem()
  const available = /^MemAvailable:\s+(\d+) kB$/m.exec(await readProc('meminfo'))?.[1]
  return { total, used: total - (available ? Number(available) * 1024 : freemem()) }
}

async function networkMeter(): Promise<() => Promise<Metrics['network']>> {
  let before = await readNetwork()
  let since = performance.now()
  return async () => {
    const now = await readNetwork()
    const elapsed = (performance.now() - since) / 1000
    since += elapsed * 1000
    // An interface that goes away takes its counters with it.
    const rate = (direction: 'in' | 'out'): number => round(Math.max(0, (now?.[direction] ?? 0) - (before?.[direction] ?? 0)) / elapsed)
    const rates = now && before ? { in: rate('in'), out: rate('out') } : null
    before = now
    return rates
  }
}

/** Bytes received and sent since boot on all interfaces but the loopback, which would count the demo's own stream. */
async function readNetwork(): Promise<{ in: number; out: number } | null> {
  const interfaces = (await readProc('net/dev'))
    .split('\n')
    .map((line) => line.trim().split(/[:\s]+/))
    .filter(([name, received]) => name !== 'lo' && /^\d+$/.test(received ?? ''))
  if (interfaces.length === 0) return null
  const sum = (column: number): number => interfaces.reduce((bytes, fields) => bytes + Number(fields[column]), 0)
  return { in: sum(1), out: sum(9) }
}

/** Empty where there is no such file, that is, anywhere but on Linux. */
async function readProc(path: string): Promise<string> {
  return readFile(`/proc/${path}`, 'utf8').catch(() => '')
}

/** Three digits after the point are more than anybody reads. */
function round(value: number): number {
  return Math.round(value * 1_000) / 1_000
}
