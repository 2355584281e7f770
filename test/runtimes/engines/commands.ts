import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Project } from '../project.ts'
import type { Result } from '../suite.ts'
import type { Engine } from './engine.ts'
import { locate, missingPackage } from './packages.ts'

/** Runtimes that are commands: where they are among the packages, and what comes before the script. */
const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  'Node 22': ['node22/bin/node'],
  // The one that the library itself is developed with.
  'Node 24': ['../../../node_modules/node/bin/node'],
  'Node 26': ['node26/bin/node'],
  Bun: ['bun/bin/bun'],
  Deno: ['deno/deno', 'run', '--allow-all', '--cached-only'],
}

/** How long a process may stay when all is done and closed, in ms. */
const LINGER = 2_000

export const commands: readonly Engine[] = Object.entries(COMMANDS).map(([name, [program = '', ...args]]) => ({
  name,
  missing: missingPackage(name, program),
  run: ({ project, origin }) => run(locate(program), [...args, project.command, origin], project),
}))

/** Runs the script, and waits for the process to end by itself: what still runs or listens would keep it. */
async function run(program: string, args: readonly string[], { folder }: Project): Promise<Result[]> {
  const env = { PATH: process.env['PATH'], HOME: folder, DENO_DIR: join(folder, 'deno') }
  const child = spawn(program, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let complaints = ''
  let timer: ReturnType<typeof setTimeout> | undefined
  child.stdout.on('data', (data) => {
    output += String(data)
    timer ??= setTimeout(() => child.kill('SIGKILL'), LINGER)
  })
  child.stderr.on('data', (data) => (complaints += String(data)))
  const end = await new Promise<number | string | null>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve(signal ?? code))
  })
  clearTimeout(timer)
  if (!output) throw new Error(`It ended with ${end}:\n${complaints}`)
  const name = 'the process ends by itself when all is closed'
  const error = end === 'SIGKILL' ? `It was there ${LINGER} ms later.` : `It ended with ${end}:\n${complaints}`
  return [...(JSON.parse(output) as Result[]), end === 0 ? { name, ok: true } : { name, ok: false, error }]
}
