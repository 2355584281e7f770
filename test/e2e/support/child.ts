import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'
import { bundleProgram } from '../../support/bundle.ts'
import type { Answer, Call, Methods, ServerConfig, Told } from './server.ts'

/** An event stream's server in a process of its own. */
export interface Child {
  /** Calls one of its methods. */
  call<K extends keyof Methods>(name: K, ...args: Parameters<Methods[K]>): Promise<Awaited<ReturnType<Methods[K]>>>
  /** Resolves with the first thing it tells that `test` holds for, or has told before. */
  told(test: (told: Told) => boolean): Promise<Told>
  /** Ends it, if it has not ended. */
  stop(): Promise<void>
}

const SCRIPT = fileURLToPath(new URL('server.ts', import.meta.url))

let code: Promise<string> | undefined

/** Starts a server; `within` is a command that runs it elsewhere. It is ended with the test. */
export async function startServer(config: ServerConfig, within: readonly string[] = []): Promise<Child> {
  const script = await (code ??= bundleProgram(SCRIPT))
  const [command, ...args] = [...within, process.execPath, '--expose-gc', '--input-type=module', '-', JSON.stringify(config)]
  const child = spawn(command, args, { stdio: ['pipe', 'inherit', 'inherit', 'ipc'] })
  const exited = new Promise<void>((resolve) => child.on('exit', () => resolve()))
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL')
    await exited
  }
  onTestFinished(stop)

  const calls = new Map<number, PromiseWithResolvers<unknown>>()
  const heard: Told[] = []
  const waiting = new Set<(told: Told) => void>()
  let last = 0
  child.on('message', (message: Answer | Told) => {
    if ('tells' in message) {
      heard.push(message)
      for (const tell of waiting) tell(message)
    } else if ('error' in message) calls.get(message.id)!.reject(new Error(message.error))
    else calls.get(message.id)!.resolve(message.result)
  })
  child.on('exit', () => {
    for (const { reject } of calls.values()) reject(new Error('The server has ended.'))
  })
  child.stdin!.on('error', () => {}).end(script)

  return {
    stop,
    call: (name, ...given) => {
      const call: Call = { id: ++last, name, args: given }
      const answer = Promise.withResolvers<unknown>()
      calls.set(call.id, answer)
      child.send(call)
      // The methods' types say what they give.
      return answer.promise as Promise<never>
    },
    told: (test) =>
      new Promise((resolve) => {
        const known = heard.find(test)
        if (known) return resolve(known)
        const tell = (told: Told): void => {
          if (!test(told)) return
          waiting.delete(tell)
          resolve(told)
        }
        waiting.add(tell)
      }),
  }
}
