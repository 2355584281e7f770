import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { freePort } from './port.ts'

export interface Demo {
  readonly url: string
  /** What it has printed. */
  readonly output: () => string
  /** Resolves when it has printed `text`; rejects when it ends first. */
  printed(text: string): Promise<void>
  /** Resolves with the exit code. */
  readonly exited: Promise<number | null>
  /** Asks it to stop, as Ctrl-C does. */
  interrupt(): void
}

const SERVER = fileURLToPath(new URL('../../examples/demo/server.ts', import.meta.url))

/** The demo as `npm run demo` starts it, after the build, on a port of its own; ended with the test. */
export function startDemo(port: number | string): Demo {
  const child = spawn(process.execPath, [SERVER], { env: { ...process.env, PORT: String(port) }, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)))
  const exited = new Promise<number | null>((resolve) => child.on('exit', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const printed = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (output.includes(text)) resolve()
      }
      look()
      child.stdout.on('data', look)
      child.on('exit', (code) => reject(new Error(`The demo ended with ${code}:\n${output}`)))
    })
  return { printed, url: `http://127.0.0.1:${port}/`, output: () => output, exited, interrupt: () => child.kill('SIGINT') }
}

/** The demo, once it answers. */
export async function readyDemo(): Promise<Demo> {
  const demo = startDemo(await freePort())
  await demo.printed(demo.url.slice(0, -1))
  return demo
}
