import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { bundleProgram } from '../../support/bundle.ts'
import type { Fault, NodeConfig, Told } from './node.ts'

/** A node that can be killed and started again. */
export interface Node {
  /** Starts it. Resolves when it listens. */
  start(): Promise<void>
  /** Ends it in the midst of whatever it is doing. Resolves when it is gone. */
  kill(): Promise<void>
  readonly kills: number
  /** What went to `onError`, in any of its lives. */
  readonly errors: readonly Fault[]
}

/** The program of a node. */
export const bundleNode = (): Promise<string> => bundleProgram(fileURLToPath(new URL('node.ts', import.meta.url)))

/** Makes a node that runs `program`. It is ended with the test. `onCrash` hears when it ends of its own. */
export function createNode(program: string, config: NodeConfig, onCrash: (error: Error) => void): Node {
  const errors: Fault[] = []
  let child: ChildProcess | undefined
  let kills = 0

  const end = async (): Promise<void> => {
    const ended = child
    child = undefined
    if (ended?.kill('SIGKILL')) await once(ended, 'exit')
  }
  onTestFinished(end)

  const start = async (): Promise<void> => {
    const started = spawn(process.execPath, ['--input-type=module', '-', JSON.stringify(config)], {
      stdio: ['pipe', 'inherit', 'inherit', 'ipc'],
    })
    child = started
    const listening = Promise.withResolvers<void>()
    started.on('message', (told: Told) => {
      if (told === 'listening') listening.resolve()
      else errors.push(told)
    })
    started.on('exit', (code, signal) => {
      const error = new Error(`A node has ended of its own: ${signal ?? `code ${code}`}.`)
      listening.reject(error)
      if (child === started) onCrash(error)
    })
    started.stdin!.on('error', () => {}).end(program)
    await listening.promise
  }

  return {
    start,
    async kill() {
      kills++
      await end()
    },
    get kills() {
      return kills
    },
    errors,
  }
}
