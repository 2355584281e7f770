import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, globSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Where `unpack` puts things. */
const FOLDER = fileURLToPath(new URL('../.debian/', import.meta.url))

/** Where the programs are that `unpack` has brought. */
export const UNPACKED = join(FOLDER, 'bin')

/** How a package gets here. Gives false where that is not allowed; throws when it fails. */
export type Fetch = (name: string) => boolean

/** Installs a package on this machine. */
export function install(name: string): boolean {
  const root = asRoot()
  if (!hasApt() || !root) return false
  run([...root, 'apt-get', 'update', '-qq'])
  run([...root, 'apt-get', 'install', ...QUIETLY, '-o', 'DPkg::Lock::Timeout=300', name])
  return true
}

/**
 * Unpacks a package, and what it depends on and is not installed, into a folder of the project. For programs that come with a
 * service: to install them would start it, and again at each boot. It needs no rights but those to update apt's lists.
 */
export function unpack(name: string): boolean {
  if (!hasApt()) return false
  const archives = join(FOLDER, 'archives')
  const download = ['apt-get', 'install', ...QUIETLY, '--download-only', '-o', `Dir::Cache::archives=${archives}`, ...AS_ANYONE, name]
  mkdirSync(join(archives, 'partial'), { recursive: true })
  const root = asRoot()
  if (root) run([...root, 'apt-get', 'update', '-qq'])
  run(download)
  for (const archive of globSync(join(archives, '*.deb'))) run(['dpkg-deb', '-x', archive, FOLDER])
  rmSync(archives, { recursive: true })
  mkdirSync(UNPACKED, { recursive: true })
  for (const program of globSync('usr/{bin,sbin}/*', { cwd: FOLDER })) wrap(program)
  return true
}

const QUIETLY = ['-y', '-qq', '--no-install-recommends']

/** Downloads touch nothing that is the system's, so they lock nothing of it, and need no user of their own. */
const AS_ANYONE = ['-o', 'Debug::NoLocking=1', '-o', 'APT::Sandbox::User=root']

/** Makes a command that runs an unpacked program with the libraries that were unpacked with it. */
function wrap(program: string): void {
  const libraries = globSync('{usr/,}lib/*-linux-*', { cwd: FOLDER }).map((path) => `$root/${path}`)
  const command = join(UNPACKED, basename(program))
  writeFileSync(command, `#!/bin/sh\nroot=$(dirname "$0")/..\nLD_LIBRARY_PATH="${libraries.join(':')}" exec "$root/${program}" "$@"\n`)
  chmodSync(command, 0o755)
}

function hasApt(): boolean {
  return spawnSync('apt-get', ['--version']).status === 0
}

/** What to put before a command to run it as root; `undefined` where that is not allowed. */
function asRoot(): string[] | undefined {
  if (process.getuid?.() === 0) return []
  return spawnSync('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n'] : undefined
}

function run([command = '', ...args]: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
}
