import type { DecodedMessage } from '../wire/decode.ts'

/** An event as handlers get it. */
export interface Delivery {
  readonly event: string
  readonly data: unknown
  readonly id: string
}

/** Takes an event; a promise that it returns is awaited before the next. */
export type Handler = (event: Delivery) => unknown

/** An event on its way through the handlers. */
export interface Task {
  /** As it came, in case it has to be handed out again. */
  readonly message: DecodedMessage
  readonly event: Delivery
  /** Whether a handler has begun with it. */
  taken: boolean
  /** How many have yet to finish with it. */
  running: number
}

/** One handler and the events that wait for it. It takes one event at a time; a slow one holds up no other handler. */
export class Lane {
  readonly #handler: Handler
  readonly #onError: (error: unknown, event: Delivery) => void
  readonly #onDone: (task: Task) => void
  #waiting: Task[] = []
  #busy = false
  #removed = false

  constructor(handler: Handler, onError: (error: unknown, event: Delivery) => void, onDone: (task: Task) => void) {
    this.#handler = handler
    this.#onError = onError
    this.#onDone = onDone
  }

  offer(task: Task): void {
    // Removed by a handler that the same event reached before this one.
    if (this.#removed) return
    task.running++
    if (this.#busy) this.#waiting.push(task)
    else this.#run(task)
  }

  /** Takes no more events, and gives back those that wait. The one under way is finished. */
  remove(): Task[] {
    this.#removed = true
    return this.#waiting.splice(0)
  }

  #run(task: Task): void {
    task.taken = true
    try {
      const result = this.#handler(task.event)
      if (isThenable(result)) {
        this.#busy = true
        // Started from a resolved promise, so that a thenable that throws is caught too.
        void Promise.resolve(result)
          .catch((error: unknown) => this.#onError(error, task.event))
          .then(() => this.#next(task))
        return
      }
    } catch (error) {
      this.#onError(error, task.event)
    }
    this.#onDone(task)
  }

  #next(finished: Task): void {
    this.#busy = false
    this.#onDone(finished)
    while (!this.#busy && this.#waiting.length > 0) this.#run(this.#waiting.shift()!)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined | null)?.then === 'function'
}
