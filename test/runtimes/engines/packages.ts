import { existsSync } from 'node:fs'
import { join } from 'node:path'

/** Where a path among the packages of test/runtimes is. */
export function locate(path: string): string {
  return join(import.meta.dirname, '../node_modules', path)
}

/** Why nothing can be run here that needs a path among the packages; `undefined` when it can. As `missing` does for programs. */
export function missingPackage(name: string, path: string): string | undefined {
  const installable = process.platform === 'linux' && process.arch === 'x64'
  if (existsSync(locate(path)) || (process.env['CI'] && installable)) return undefined
  return `${name} is not among the packages of test/runtimes. node scripts/setup.ts installs them; Node, Bun and Deno on Linux with x64 alone.`
}

/** Loads a package. Its types are stated where it is used: types can then be checked where it is not installed. */
export async function load<T>(name: string): Promise<T> {
  return (await import(/* @vite-ignore */ name)) as T
}
