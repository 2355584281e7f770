import { spawn, spawnSync, type ChildProcess, type StdioOptions } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

const TICK_US = 10_000

/** Where there is `taskset`, each has its place; where there is `setpriv`, none outlives the bench. */
const PINS = works('taskset', '-c', '0')
const TIES = works('setpriv', '--pdeathsig', 'KILL') ? ['setpriv', '--pdeathsig', 'KILL'] : []

/** Starts a program on a core, or wherever there is room. */
export function start(core: number | undefined, command: readonly string[], stdio: StdioOptions): ChildProcess {
  const pins = PINS && core !== undefined ? ['taskset', '-c', `${core}`] : []
  const [program = '', ...args] = [...TIES, ...pins, ...command]
  return spawn(program, args, { stdio, env: { ...process.env, NODE_ENV: 'production' } })
}

/** Ends what was started, and waits for it. */
export async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

/** For how long a core has been busy with whatever it was, in microseconds. */
export function busyUs(core: number): number {
  const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(readFileSync('/proc/stat', 'utf8'))?.[1] ?? ''
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = line.split(' ').map(Number)
  return (user + nice + system + irq + softirq) * TICK_US
}

function works(program: string, ...args: string[]): boolean {
  return spawnSync(program, [...args, 'true']).status === 0
}
