import { execFile, spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { freePort } from '../support/port.ts'

const execute = promisify(execFile)

/** What the compiler objects to. */
export interface Diagnostic {
  readonly file: string
  readonly line: number
  readonly message: string
}

/** Packs the package in `root` into `folder`. Gives the path of the tarball. */
export async function pack(root: string, folder: string): Promise<string> {
  const { stdout } = await npm(root, 'pack', '--json', '--ignore-scripts', '--pack-destination', folder)
  const [{ filename }] = JSON.parse(stdout) as [{ filename: string }]
  return join(folder, filename)
}

/** Makes a project in an empty folder and installs packages into it, given as in a package.json. */
export async function install(folder: string, dependencies: Readonly<Record<string, string>>): Promise<void> {
  await write(folder, { 'package.json': JSON.stringify({ private: true, dependencies }) })
  await npm(folder, 'install', '--prefer-offline', '--no-audit', '--no-fund')
}

/** Writes files into a folder, which is made when it does not exist. */
export async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  await mkdir(folder, { recursive: true })
  await Promise.all(Object.entries(files).map(([name, text]) => writeFile(join(folder, name), text)))
}

/** Runs a script. Gives what it prints; rejects when it fails. */
export async function run(folder: string, script: string): Promise<string> {
  const { stdout } = await execute(process.execPath, [script], { cwd: folder, env: environment(), timeout: 20_000 })
  return stdout
}

/** Compiles the sources in a folder, as its tsconfig.json says, with the TypeScript that is installed there or above. */
export async function compile(folder: string): Promise<Diagnostic[]> {
  const tsc = createRequire(join(folder, 'package.json')).resolve('typescript/bin/tsc')
  const options = { cwd: folder, env: environment() }
  const { stdout } = await execute(process.execPath, [tsc, '-p', '.', '--pretty', 'false'], options).catch(
    (failed: { stdout: string }) => failed,
  )
  // A diagnostic's further lines are indented.
  return stdout
    .split(/\r?\n(?! )/)
    .filter(Boolean)
    .map((text) => {
      const [, file, line, message] = /^(.+)\((\d+),\d+\): error (TS[^]+)$/.exec(text) ?? []
      if (!file || !message) throw new Error(`tsc in ${folder} said: ${stdout}`)
      return { file, line: Number(line), message: message.replaceAll(/\s+/g, ' ') }
    })
}

/**
 * Runs a server and a client, which learn their address from PORT and URL, until the client prints a line that matches.
 * Gives that line; both have ended by then.
 */
export async function converse(folder: string, server: string, client: string, pattern: RegExp): Promise<string> {
  const port = await freePort()
  const env = { ...environment(), PORT: String(port), URL: `http://127.0.0.1:${port}/events` }
  const signal = AbortSignal.timeout(20_000)
  const printed = Promise.withResolvers<string>()
  const output: string[] = []

  const start = (script: string): ChildProcessByStdio<null, Readable, Readable> => {
    const child = spawn(process.execPath, [script], { cwd: folder, env, signal, stdio: ['ignore', 'pipe', 'pipe'] })
    createInterface({ input: child.stderr }).on('line', (line) => output.push(`${script}: ${line}`))
    createInterface({ input: child.stdout }).on('line', (line) => {
      output.push(`${script}: ${line}`)
      if (script === client && pattern.test(line)) printed.resolve(line)
    })
    child.on('error', printed.reject)
    child.on('close', (code) => printed.reject(new Error(`${script} ended with ${code}.`)))
    return child
  }

  const children = [start(server), start(client)]
  try {
    return await printed.promise
  } catch (cause) {
    throw new Error(`${client} printed no line like ${pattern}. What was printed:\n${output.join('\n')}`, { cause })
  } finally {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill()
      await once(child, 'exit')
    }
  }
}

function npm(folder: string, ...args: string[]): Promise<{ stdout: string }> {
  return execute('npm', args, { cwd: folder, env: environment() })
}

/** A user's environment: without what the test runner has put there, and with this node first. */
function environment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_ENV: _env, FORCE_COLOR: _color, PATH = '', ...others } = process.env
  return { ...others, PATH: dirname(process.execPath) + delimiter + PATH }
}
