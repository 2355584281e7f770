import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** A path inside bench/. */
export function inBench(path: string): string {
  return join(import.meta.dirname, path)
}

/** Where `cc` puts the programs of native/. */
export const BUILD = inBench('.build')

type Runtime = 'node' | 'bun' | 'deno'

const RUNTIMES = inBench('../test/runtimes/node_modules')
const PROGRAMS: Readonly<Record<Runtime, string>> = {
  node: process.execPath,
  bun: join(RUNTIMES, 'bun/bin/bun'),
  deno: join(RUNTIMES, 'deno/deno'),
}
const FLAGS: Readonly<Record<Runtime, readonly string[]>> = {
  node: ['--expose-gc'],
  bun: [],
  deno: ['run', '--allow-all', '--no-check', '--node-modules-dir=manual', '--v8-flags=--expose-gc'],
}

/** The program of a runtime. It may not be there. */
export function programOf(runtime: Runtime): string {
  return PROGRAMS[runtime]
}

/** How a server of servers/ is started in a runtime; `undefined` where that is not installed. */
export function commandFor(runtime: Runtime, server: string): readonly string[] | undefined {
  const program = PROGRAMS[runtime]
  if (!existsSync(program)) return undefined
  return [program, ...FLAGS[runtime], inBench(`servers/${server}.ts`)]
}
