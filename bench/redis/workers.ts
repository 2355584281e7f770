import type { ChildProcess } from 'node:child_process'
import { inBench } from '../paths.ts'
import type { Duties } from './duties.ts'
import { end, start } from './process.ts'

const START_MS = 20_000
const ANSWER_MS = 20_000

type Role = 'node' | 'listener' | 'subscriber'

interface Answer {
  readonly id: number
  readonly result?: unknown
  readonly error?: string
}

/** A process of this suite, seen from the bench; see worker.ts. */
export class Worker {
  readonly #child: ChildProcess
  readonly #name: string
  #questions = 0
  /** Where it listens, if it does. */
  url = ''

  private constructor(name: string, child: ChildProcess) {
    this.#name = name
    this.#child = child
  }

  /** Starts one, and waits until it is ready. */
  static async start(role: Role, peer: string, url: string, core?: number): Promise<Worker> {
    const command = [process.execPath, inBench('redis/worker.ts'), role, peer, url]
    const worker = new Worker(`${role} of ${peer}`, start(core, command, ['ignore', 'ignore', 'inherit', 'ipc']))
    try {
      worker.url = (await worker.#answer(0, START_MS)) as string
    } catch (error) {
      await worker.end()
      throw error
    }
    return worker
  }

  async ask<D extends keyof Duties>(duty: D, load: Parameters<Duties[D]>[0]): Promise<Awaited<ReturnType<Duties[D]>>> {
    const id = ++this.#questions
    this.#child.send({ id, duty, load })
    return (await this.#answer(id, ANSWER_MS)) as Awaited<ReturnType<Duties[D]>>
  }

  end(): Promise<void> {
    return end(this.#child)
  }

  #answer(id: number, ms: number): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>()
    const fail = (why: string) => reject(new Error(`${this.#name} ${why}`))
    const onMessage = (answer: Answer) => {
      if (answer.id !== id) return
      if (answer.error === undefined) resolve(answer.result)
      else fail(`said: ${answer.error}`)
    }
    const onExit = () => fail('has ended')
    const timer = setTimeout(() => fail(`did not answer in ${ms} ms`), ms)
    this.#child.on('message', onMessage).on('exit', onExit)
    return promise.finally(() => {
      clearTimeout(timer)
      this.#child.off('message', onMessage).off('exit', onExit)
    })
  }
}
