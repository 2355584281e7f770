import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { BUILD } from './paths.ts'
import { DEFAULTS, type ServerOptions } from './server-options.ts'

/** A server to measure: how it is started, and how it is asked for a stream. */
export interface Server {
  readonly name: string
  /** The program and its arguments, without the options that are added at the end. */
  readonly command: readonly string[]
  /** A program that takes its port and its words in place of options as JSON. */
  readonly native?: boolean
  readonly path?: string
  readonly options?: Partial<ServerOptions>
  readonly env?: Readonly<Record<string, string>>
}

/** What the load does; see native/load.c. */
export interface Load {
  readonly mode: 'flat' | 'fixed' | 'connect'
  readonly clients: number
  readonly burst?: number
  readonly window?: number
  readonly rate?: number
  readonly seconds?: number
  readonly warmUp?: number
  /** Whether to put it on the server once before, so that what is measured is code that has run. */
  readonly rehearse?: boolean
  /** Deliveries that make one event, where that is not one to each client. */
  readonly perEvent?: number
  readonly stalled?: number
  /** Streams of each HTTP/2 connection. Default: HTTP/1.1. */
  readonly streams?: number
  readonly rcvbuf?: number
  /** Most connections under way at once. */
  readonly atOnce?: number
  readonly idleMs?: number
  readonly replay?: number
  readonly maxBytes?: number
  readonly path?: string
  /** 1 to count the events of one stream, and take the others to be like it. */
  readonly sampled?: 1
  readonly header?: string
}

/** What one run tells. Of `connect` only those that say so; the others tell nothing of it. */
export interface Measurement {
  readonly deliveries: number
  readonly seconds: number
  /** CPU time of the server for one delivery, in microseconds; of `connect`, for one connection. */
  readonly cpuUs: number
  /** The share of its core that the server took, and that others took. */
  readonly busy: number
  readonly foreign: number
  readonly bytes: number
  readonly eventsPerRead: number
  /** End to end, in ms. */
  readonly p50: number
  readonly p99: number
  readonly p999: number
  readonly rssBefore: number
  readonly rssIdle: number
  readonly rssMax: number
  readonly rssEnd: number
  /** What the server says at the end where it is asked to; see server-options.ts. */
  readonly longestHoldMs: number
  readonly heldBytes: number
}

const SERVER_CORE = '0'
const LOAD_CORE = '1'
const START_MS = 20_000
const LOAD_MS = 120_000
/** Where there is `taskset`, each has a core of its own; where there is `setpriv`, none outlives the bench. */
const PINS = works('taskset', '-c', SERVER_CORE)
const TIES = works('setpriv', '--pdeathsig', 'KILL') ? ['setpriv', '--pdeathsig', 'KILL'] : []

/** The share of the server's core that others took, run by run: how noisy the machine was. Whoever reads it takes it out. */
export const foreign: number[] = []

let port = 10_000 + (process.pid % 5_000)

/** Starts the server, puts the load on it, and ends it. Throws with what either has said when one fails. */
export async function measure(server: Server, load: Load): Promise<Measurement> {
  port = port > 29_000 ? 10_000 : port + 3
  const options: Partial<ServerOptions> = { ...DEFAULTS, ...server.options, port }
  const child = start(SERVER_CORE, commandOf(server, options), server.env)
  const complaints = collect(child)
  try {
    const { lastEventId } = await readiness(child, server, complaints)
    const done = server.native || load.mode === 'connect' ? Promise.resolve({}) : lastWord(child)
    const header = load.header ?? (lastEventId === undefined ? '' : `Last-Event-ID: ${lastEventId}`)
    if (load.rehearse) await runLoad(child.pid ?? 0, { path: server.path ?? '/sse', ...load, header })
    const result = await runLoad(child.pid ?? 0, { path: server.path ?? '/sse', ...load, header })
    if (result.foreign !== undefined) foreign.push(result.foreign)
    return { ...result, ...(await done) }
  } catch (error) {
    throw new Error(`${server.name}: ${(error as Error).message}\n${complaints().slice(0, 2_000)}`, { cause: error })
  } finally {
    await end(child)
  }
}

function works(program: string, ...args: string[]): boolean {
  return spawnSync(program, [...args, 'true']).status === 0
}

function commandOf({ command, native }: Server, options: Partial<ServerOptions>): readonly string[] {
  if (!native) return [...command, JSON.stringify(options)]
  return [...command, String(options.port), options.topics ? 'each' : 'all', String(options.missed ?? 0)]
}

async function runLoad(pid: number, load: Load): Promise<Measurement> {
  const { warmUp, perEvent, atOnce, idleMs, maxBytes, rehearse: _, ...plain } = load
  const words = { ...plain, 'warm-up': warmUp, 'per-event': perEvent, 'at-once': atOnce, idle: idleMs, 'max-bytes': maxBytes, port, pid }
  const flags = Object.entries(words).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [`-${name}`, String(value)]))
  const child = start(LOAD_CORE, [join(BUILD, 'load'), ...flags])
  const complaints = collect(child)
  const timer = setTimeout(() => child.kill('SIGKILL'), LOAD_MS)
  let output = ''
  child.stdout?.on('data', (data) => (output += String(data)))
  await once(child, 'close')
  clearTimeout(timer)
  if (!output.startsWith('{')) throw new Error(`the load got no result. ${complaints()}`)
  return JSON.parse(output.replaceAll(/-?\b(nan|inf)\b/g, 'null')) as Measurement
}

function start(core: string, command: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
  const [program = '', ...args] = [...TIES, ...(PINS ? ['taskset', '-c', core] : []), ...command]
  return spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_ENV: 'production', ...env } })
}

function collect(child: ChildProcess): () => string {
  let text = ''
  child.stderr?.on('data', (data) => {
    if (text.length < 10_000) text += String(data)
  })
  return () => text
}

/** The first line that the server prints behind the word. */
function line<T>(child: ChildProcess, word: string): Promise<T> {
  return new Promise((resolve) => {
    if (!child.stdout) return
    createInterface(child.stdout).on('line', (text) => {
      if (text.startsWith(`${word} `)) resolve(JSON.parse(text.slice(word.length + 1)) as T)
    })
  })
}

async function readiness(child: ChildProcess, { name }: Server, complaints: () => string): Promise<{ lastEventId?: string }> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const failed = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name} did not start in ${START_MS} ms`)), START_MS)
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}. ${complaints()}`)))
    child.once('error', reject)
  })
  failed.catch(() => {})
  try {
    return await Promise.race([line<{ lastEventId?: string }>(child, 'READY'), failed])
  } finally {
    clearTimeout(timer)
  }
}

/** What the server has to tell at the end of the measurement. Nothing, when it ends without a word. */
async function lastWord(child: ChildProcess): Promise<Partial<Measurement>> {
  return await Promise.race([line<Partial<Measurement>>(child, 'DONE'), once(child, 'exit').then(() => ({}))])
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}
