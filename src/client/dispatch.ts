import type { Gap } from '../wire/control.ts'
import type { DecodedMessage } from '../wire/decode.ts'
import { Lane, type Delivery, type Handler, type Task } from './lane.ts'

/** What the stream brings, in its order. */
type Item = DecodedMessage | { readonly cursor: string } | { readonly gap: Gap }

const NOBODY: readonly Lane[] = []

/** What a dispatcher is made of. */
export interface DispatcherOptions {
  /** How much may be under way before `room` asks to wait. */
  readonly limit: number
  /** Reads and validates the data of an event; may be asynchronous, may throw. */
  readonly decode: (message: DecodedMessage) => unknown
  readonly onGap: (gap: Gap) => void
  readonly onInvalid: (error: unknown, message: DecodedMessage) => void
  readonly onHandlerError: (error: unknown, event: Delivery) => void
  /** The cursor has moved over an event that all handlers have finished with. */
  readonly onCommit: (cursor: string) => void
}

/**
 * Takes what the stream brings to the handlers, in order, and moves the cursor behind what they have finished. Without
 * any handler everything waits, so that what comes between one handler and the next is not lost.
 */
export class Dispatcher {
  readonly #options: DispatcherOptions
  #inbox: Item[] = []
  /** Handed out and not yet committed, oldest first. */
  #tasks: Task[] = []
  // Arrays that are replaced, not changed: a handler may add and remove others while an event is on its way.
  readonly #lanes = new Map<string | undefined, readonly Lane[]>()
  #pumping = false
  #decoding = false
  #stopped = false
  #waiters: { readonly limit: number; readonly resolve: () => void }[] = []

  constructor(options: DispatcherOptions) {
    this.#options = options
  }

  /** Adds a handler of one event, or of all when `event` is undefined. Gives the function that removes it. */
  add(event: string | undefined, handler: Handler): () => void {
    const lane = new Lane(handler, this.#options.onHandlerError, (task) => this.#finish(task))
    this.#lanes.set(event, [...this.#lanesOf(event), lane])
    // What waits is handed out when the caller is done: it may add more handlers, and has to hold the function returned.
    queueMicrotask(() => this.#pump())
    return () => {
      const others = this.#lanesOf(event).filter((other) => other !== lane)
      if (others.length > 0) this.#lanes.set(event, others)
      else this.#lanes.delete(event)
      this.#release(lane.remove())
    }
  }

  push(item: Item): void {
    if (this.#stopped) return
    this.#inbox.push(item)
    this.#pump()
  }

  /** Waits until fewer than `limit` things are under way; `undefined` when there is no need to. */
  room(): Promise<void> | undefined {
    return this.#underWay() < this.#options.limit ? undefined : this.#below(this.#options.limit)
  }

  /** Resolves when all that was pushed has been handled. */
  async idle(): Promise<void> {
    if (this.#underWay() > 0) await this.#below(1)
  }

  /** Hands out nothing more. What was not handled stays uncommitted, for whoever resumes from the cursor. */
  stop(): void {
    this.#stopped = true
    this.#inbox = []
    for (const lanes of this.#lanes.values()) for (const lane of lanes) lane.remove()
    this.#lanes.clear()
    this.#wake()
  }

  #pump(): void {
    // A handler that adds another one must not start the next event before this one has reached everybody.
    if (this.#pumping) return
    this.#pumping = true
    // Without a handler all waits: what comes between one handler and the next is not lost.
    while (!this.#decoding && this.#inbox.length > 0 && this.#lanes.size > 0) {
      const item = this.#inbox.shift()!
      if ('gap' in item) this.#options.onGap(item.gap)
      else if ('cursor' in item) this.#hand(NOBODY, { event: '', data: '', id: item.cursor })
      else this.#read(item)
    }
    this.#pumping = false
    this.#wake()
  }

  #read(message: DecodedMessage): void {
    const { event } = message
    // What nobody listens to is not even read.
    if (this.#lanesFor(event).length === 0) return this.#hand(NOBODY, message)
    const refuse = (error: unknown): void => {
      this.#options.onInvalid(error, message)
      this.#hand(NOBODY, message)
    }
    const accept = (data: unknown): void => this.#hand(this.#lanesFor(event), message, data)
    let data: unknown
    try {
      data = this.#options.decode(message)
    } catch (error) {
      return refuse(error)
    }
    if (!(data instanceof Promise)) return accept(data)
    this.#decoding = true
    void data.then(accept, refuse).then(() => {
      this.#decoding = false
      this.#pump()
    })
  }

  #hand(lanes: readonly Lane[], message: DecodedMessage, data?: unknown): void {
    const { event, id } = message
    // Counted as running itself while it is handed out: a handler that returns at once must not commit it for the rest.
    const task: Task = { message, event: { event, data, id }, running: 1 }
    this.#tasks.push(task)
    for (const lane of lanes) lane.offer(task)
    this.#finish(task)
  }

  /** Lets go of events that wait for a handler which was removed. When it was the last, they wait for the next one. */
  #release(tasks: readonly Task[]): void {
    if (this.#lanes.size > 0 || this.#stopped) {
      for (const task of tasks) this.#finish(task)
      return
    }
    this.#tasks = this.#tasks.filter((task) => !tasks.includes(task))
    this.#inbox.unshift(...tasks.map(({ message }) => message))
  }

  /** Moves the cursor behind the oldest events that are finished, and no further: it never passes one under way. */
  #finish(task: Task): void {
    task.running--
    while (this.#tasks[0]?.running === 0) this.#options.onCommit(this.#tasks.shift()!.event.id)
    this.#wake()
  }

  #lanesFor(event: string): readonly Lane[] {
    const every = this.#lanesOf(undefined)
    return every.length > 0 ? [...this.#lanesOf(event), ...every] : this.#lanesOf(event)
  }

  #lanesOf(event: string | undefined): readonly Lane[] {
    return this.#lanes.get(event) ?? []
  }

  #underWay(): number {
    return this.#stopped ? 0 : this.#inbox.length + this.#tasks.length + (this.#decoding ? 1 : 0)
  }

  #below(limit: number): Promise<void> {
    return new Promise((resolve) => this.#waiters.push({ limit, resolve }))
  }

  #wake(): void {
    if (this.#waiters.length === 0) return
    const underWay = this.#underWay()
    const [ready, waiting] = [this.#waiters.filter(({ limit }) => underWay < limit), this.#waiters.filter(({ limit }) => underWay >= limit)]
    this.#waiters = waiting
    for (const { resolve } of ready) resolve()
  }
}
