import { spawn } from 'node:child_process'
import { onTestFinished } from 'vitest'

/** A program in a process of its own. */
export interface Spawned {
  /** What it has written so far. */
  readonly stdout: string
  /** The same, and what it has written to stderr. */
  readonly output: string
  /** Waits until it has written a text, or until `holds`, which is asked again whenever it has written more. Fails when it ends before. */
  until(holds: string | (() => boolean)): Promise<void>
  /** Resolves with the exit code once all that it has written is known; `null` when a signal has ended it. */
  readonly exited: Promise<number | null>
  kill(signal?: NodeJS.Signals): void
}

export interface SpawnedOptions {
  readonly cwd?: string
  /** Its environment. Default: that of the tests. */
  readonly env?: NodeJS.ProcessEnv
  /** What ends it with the test. Default: SIGKILL. */
  readonly ending?: NodeJS.Signals
}

/** Starts a program, which is gone at the end of the test. */
export function spawned(command: string, args: readonly string[], { ending = 'SIGKILL', ...options }: SpawnedOptions = {}): Spawned {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  const written = { stdout: '', output: '' }
  let over = false
  let wake = Promise.withResolvers<void>()
  const tick = (): void => {
    wake.resolve()
    wake = Promise.withResolvers()
  }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (written.stdout += text))
  for (const stream of [child.stdout, child.stderr.setEncoding('utf8')]) {
    stream.on('data', (text: string) => {
      written.output += text
      tick()
    })
  }
  const exited = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      over = true
      tick()
      resolve(code)
    })
  })
  onTestFinished(async () => {
    child.kill(ending)
    await exited
  })
  return {
    exited,
    get stdout() {
      return written.stdout
    },
    get output() {
      return written.output
    },
    async until(holds) {
      const isSo = typeof holds === 'string' ? () => written.output.includes(holds) : holds
      while (!isSo()) {
        if (over) throw new Error(`It ended before it wrote ${typeof holds === 'string' ? holds : 'that'}:\n${written.output}`)
        await wake.promise
      }
    },
    kill: (signal) => void child.kill(signal),
  }
}
