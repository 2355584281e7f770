import { execFileSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { absence, ensureProgram, findProgram, REDIS } from '../../scripts/programs.ts'
import { end, start } from './process.ts'

/** A redis-server of this suite's own. */
export interface Redis {
  readonly url: string
  readonly version: string
  /** CPU time that it has taken until now, in microseconds. */
  cpuUs(): number
  stop(): Promise<void>
}

const START_MS = 10_000

/** Starts one on a free port, without persistence. Throws, and says what to do, where there is none. */
export async function startRedis(core: number | undefined): Promise<Redis> {
  ensureProgram(REDIS)
  const program = findProgram(REDIS)
  if (program === undefined) throw new Error(absence(REDIS))
  const port = await freePort()
  const words = ['--port', `${port}`, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const child = start(core, [program, ...words], ['ignore', 'pipe', 'inherit'])
  const timer = setTimeout(() => child.kill('SIGKILL'), START_MS)
  try {
    await said(child, 'Ready to accept connections')
  } finally {
    clearTimeout(timer)
  }
  return {
    url: `redis://127.0.0.1:${port}`,
    version: /v=([\d.]+)/.exec(execFileSync(program, ['--version'], { encoding: 'utf8' }))?.[1] ?? '',
    cpuUs: () => Number(readFileSync(`/proc/${child.pid}/schedstat`, 'utf8').split(' ', 1)[0]) / 1_000,
    stop: () => end(child),
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

function said(child: ChildProcess, words: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let last = ''
  child.once('error', reject).once('exit', () => reject(new Error(`redis-server ended: ${last}`)))
  if (child.stdout) {
    createInterface(child.stdout).on('line', (line) => {
      last = line
      if (line.includes(words)) resolve()
    })
  }
  return promise
}
