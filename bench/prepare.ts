import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { ensureRuntimes } from '../scripts/runtimes.ts'
import { BUILD, inBench } from './paths.ts'

/** Sees to all that the suites need. Throws, and says what to do, when something is missing that it cannot bring. */
export function prepare({ build, leastFiles }: { build: boolean; leastFiles: number }): void {
  checkOpenFiles(leastFiles)
  if (build) execFileSync('npm', ['run', '-s', 'build'], { cwd: inBench('..'), stdio: ['ignore', 'ignore', 'inherit'] })
  ensurePackages()
  ensureRuntimes()
  mkdirSync(BUILD, { recursive: true })
  for (const program of ['floor', 'load']) compile(program)
  buildBroker()
}

// Node raises its own limit to what it may have, and so does what it starts.
function checkOpenFiles(least: number): void {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim()
  if (Number(limit) < least) throw new Error(`A process may have ${limit} files open, and ${least} are needed: ulimit -n ${least}`)
}

/** Installs what is compared with, unless it is there as the lock says. */
function ensurePackages(): void {
  // npm leaves that file when it is done.
  if (timeOf(inBench('node_modules/.package-lock.json')) >= timeOf(inBench('package-lock.json'))) return
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: inBench(''), stdio: ['ignore', 'ignore', 'inherit'] })
}

// With zlib where its headers are, which only the suite about compression needs.
function compile(program: string): void {
  const source = inBench(`native/${program}.c`)
  const cc = (...libraries: string[]) =>
    spawnSync('cc', ['-O3', '-march=native', '-o', join(BUILD, program), source, ...libraries], { encoding: 'utf8' })
  if (cc('-lm', '-lz').status === 0) return
  const { error, status, stderr } = cc('-lm')
  if (error) throw new Error('There is no C compiler, which the load and the floor need: apt-get install gcc libc6-dev zlib1g-dev')
  if (status !== 0) throw new Error(`${source} does not compile:\n${stderr}`)
}

/** Where there is no `go` there is no broker, and the suites say that it was left out. */
function buildBroker(): void {
  const { error, status, stderr } = spawnSync('go', ['build', '-o', join(BUILD, 'broker'), inBench('servers/broker.go')], {
    encoding: 'utf8',
  })
  if (!error && status !== 0) throw new Error(`servers/broker.go does not compile:\n${stderr}`)
}

function timeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
}
