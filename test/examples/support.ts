import { fileURLToPath } from 'node:url'
import { freePort } from '../support/port.ts'
import { spawned } from '../support/spawned.ts'

export interface Example {
  /** Without a slash at its end. */
  readonly url: string
  readonly port: number
  /** What it has printed. */
  readonly output: () => string
  /** Resolves when it has printed `text`, `times` times; rejects when it ends first. */
  printed(text: string, times?: number): Promise<void>
  /** Resolves with the exit code, once all that it has printed is known. */
  readonly exited: Promise<number | null>
  /** Asks it to stop, as Ctrl-C does. */
  interrupt(): void
  /** Ends it as a crash would. */
  kill(): void
}

export interface Start {
  /** The port to ask for. Default: a free one. */
  readonly port?: number | string
  /** More of the environment. */
  readonly env?: Readonly<Record<string, string>>
  /** A command that runs it, such as one that leads into another network. */
  readonly within?: readonly string[]
}

const local = (path: string): string => fileURLToPath(new URL(`../../examples/${path}`, import.meta.url))

/** An example as `npm run example NAME` starts it, after the build; ended with the test. */
export function startExample(name: string | undefined, start?: Start): Promise<Example> {
  return startProgram([local('run.ts'), ...(name === undefined ? [] : [name])], start)
}

/** The demo, as `npm run demo` does. */
export function startDemo(start?: Start): Promise<Example> {
  return startProgram([local('demo/server.ts')], start)
}

async function startProgram(program: readonly string[], { port, env, within = [] }: Start = {}): Promise<Example> {
  const chosen = port ?? (await freePort())
  const [command = '', ...args] = [...within, process.execPath, ...program]
  // Of the environment of the tests no more than where programs are: its HOST or REDIS_URL is not for these.
  const example = spawned(command, args, { env: { PATH: process.env['PATH'], PORT: String(chosen), ...env } })
  return {
    url: `http://${env?.['HOST'] ?? '127.0.0.1'}:${chosen}`,
    port: Number(chosen),
    output: () => example.output,
    exited: example.exited,
    interrupt: () => example.kill('SIGINT'),
    kill: () => example.kill('SIGKILL'),
    printed: (text, times = 1) => (times === 1 ? example.until(text) : example.until(() => example.output.split(text).length > times)),
  }
}

/** An example, once it answers. */
export async function readyExample(name: string, start?: Start): Promise<Example> {
  return ready(await startExample(name, start))
}

export async function readyDemo(): Promise<Example> {
  return ready(await startDemo())
}

async function ready(example: Example): Promise<Example> {
  await example.printed('To stop:')
  return example
}
