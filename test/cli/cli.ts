import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

const PROGRAM = fileURLToPath(new URL('../../src/cli/index.ts', import.meta.url))

/** The program, as it runs. */
export interface Cli {
  /** What it has written so far. */
  readonly stdout: string
  readonly stderr: string
  /** Waits until it has written `part` to either; fails when it ends before. */
  until(part: string | RegExp): Promise<void>
  /** Its exit code; `null` when a signal has ended it. */
  readonly exit: Promise<number | null>
  kill(signal: NodeJS.Signals): void
  /** Stops reading what it shows, and goes on. */
  pause(): void
  resume(): void
  /** Leaves, as a reader behind a pipe does. */
  hangUp(): void
}

/** Starts the program in a process of its own. It is ended with the test. */
export function eventwire(args: readonly string[], env: NodeJS.ProcessEnv = {}): Cli {
  // The colours are the test's own, whatever it runs in.
  const child = spawn(process.execPath, [PROGRAM, ...args], {
    env: { ...process.env, FORCE_COLOR: undefined, NO_COLOR: undefined, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const written = { stdout: '', stderr: '' }
  let over = false
  let wake = Promise.withResolvers<void>()
  const tick = (): void => {
    wake.resolve()
    wake = Promise.withResolvers()
  }
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      written[name] += text
      tick()
    })
  }
  const exit = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      over = true
      tick()
      resolve(code)
    })
  })
  return {
    exit,
    get stdout() {
      return written.stdout
    },
    get stderr() {
      return written.stderr
    },
    async until(part) {
      const has = (text: string): boolean => (typeof part === 'string' ? text.includes(part) : part.test(text))
      while (!has(written.stdout) && !has(written.stderr)) {
        if (over) throw new Error(`It ended before it wrote ${part}:\n${written.stdout}\n${written.stderr}`)
        await wake.promise
      }
    },
    kill: (signal) => void child.kill(signal),
    pause: () => void child.stdout.pause(),
    resume: () => void child.stdout.resume(),
    hangUp: () => void child.stdout.destroy(),
  }
}

/** Runs the program to its end. */
export async function run(
  args: readonly string[],
  env?: NodeJS.ProcessEnv,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const cli = eventwire(args, env)
  const code = await cli.exit
  return { code, stdout: cli.stdout, stderr: cli.stderr }
}
