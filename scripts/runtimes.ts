import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const FOLDER = fileURLToPath(new URL('../test/runtimes/', import.meta.url))

/** Installs the packages of test/runtimes, unless they are there as its lock says. */
export function ensureRuntimes(): void {
  // npm leaves that file when it is done.
  if (timeOf('node_modules/.package-lock.json') >= timeOf('package-lock.json')) return
  console.error('Installing the JavaScript runtimes that the tests run in (800 MB, into test/runtimes/node_modules) ...')
  try {
    // What their install scripts would download is in optional packages of their own.
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: FOLDER, stdio: ['ignore', 'ignore', 'inherit'] })
  } catch {
    // npm has said why; the tests say which runtimes are missing.
  }
}

function timeOf(file: string): number {
  return statSync(FOLDER + file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}
