import type { Gap } from '../wire/control.ts'
import type { DecodedMessage } from '../wire/decode.ts'
import { Lane, type Delivery, type Handler, type Task } from './lane.ts'

/** What the stream brings, in its order; and tasks that wait in line again. */
type Item = DecodedMessage | { readonly gap: Gap } | Task

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
 * Takes what the stream brings to the handlers, in order, and moves the cursor behind what they have finished. Events wait
 * while there is no handler at all, so that what comes between one and the next is not lost.
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
  #waiters: { readonly enough: () => boolean; readonly resolve: () => void }[] = []

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
      this.#wake()
    }
  }

  push(item: DecodedMessage | { readonly gap: Gap }): void {
    this.#enqueue(item)
  }

  /** The cursor moves with no event to hand out. */
  pass(cursor: string): void {
    this.#enqueue(nothing(cursor))
  }

  /** Waits until fewer than `limit` things are under way; `undefined` when there is no need to. */
  room(): Promise<void> | undefined {
    const enough = (): boolean => this.#inbox.length + this.#tasks.length < this.#options.limit
    return this.#stopped || enough() ? undefined : this.#until(enough)
  }

  /** Resolves when all has been handled but what waits for a handler that is not there. */
  async idle(): Promise<void> {
    const running = (item: Item): boolean => 'running' in item && item.running > 0
    await this.#until(
      () => !this.#decoding && this.#tasks.length === 0 && (this.#lanes.size === 0 ? !this.#inbox.some(running) : this.#inbox.length === 0),
    )
  }

  /** Hands out nothing more. What was not handled stays uncommitted, for whoever resumes from the cursor. */
  stop(): void {
    this.#stopped = true
    this.#inbox = []
    for (const lanes of this.#lanes.values()) for (const lane of lanes) lane.remove()
    this.#lanes.clear()
    this.#wake()
  }

  #enqueue(item: Item): void {
    if (this.#stopped) return
    this.#inbox.push(item)
    this.#pump()
  }

  #pump(): void {
    // A handler that adds another one must not start the next event before this one has reached everybody.
    if (this.#pumping) return
    this.#pumping = true
    while (!this.#decoding && this.#inbox.length > 0) {
      const item = this.#inbox[0]!
      if ('gap' in item) {
        // Its place is behind all that came before it, slow handlers included.
        if (this.#tasks.length > 0) break
        this.#inbox.shift()
        this.#options.onGap(item.gap)
      } else if ('running' in item) {
        this.#inbox.shift()
        this.#tasks.push(item)
        this.#commit()
      } else {
        if (this.#lanes.size === 0) break
        this.#read(item)
      }
    }
    this.#pumping = false
    this.#wake()
  }

  /** Reads the message at the head of the inbox, which stays there while an asynchronous schema looks at it. */
  #read(message: DecodedMessage): void {
    const take = (then: () => void): void => {
      this.#inbox.shift()
      then()
    }
    // What nobody listens to is not even read.
    if (this.#lanesFor(message.event).length === 0) return take(() => this.#hand(nothing(message.id), []))
    let data: unknown
    try {
      data = this.#options.decode(message)
    } catch (error) {
      return take(() => this.#refuse(message, error))
    }
    if (!(data instanceof Promise)) return take(() => this.#accept(message, data))
    this.#decoding = true
    const settled = (then: () => void): void => {
      this.#decoding = false
      if (this.#stopped) return
      // Otherwise its handlers have left in the meantime, and it is read again when its turn comes.
      if (this.#inbox[0] === message && this.#lanes.size > 0) take(then)
      this.#pump()
    }
    void data.then(
      (value) => settled(() => this.#accept(message, value)),
      (error: unknown) => settled(() => this.#refuse(message, error)),
    )
  }

  #accept(message: DecodedMessage, data: unknown): void {
    const { event, id } = message
    this.#hand({ message, event: { event, data, id }, taken: false, running: 0 }, this.#lanesFor(event))
  }

  #refuse(message: DecodedMessage, error: unknown): void {
    // It has its place before it is reported: whoever hears of it may remove handlers.
    const task = { ...nothing(message.id), running: 1 }
    this.#tasks.push(task)
    this.#options.onInvalid(error, message)
    this.#finish(task)
  }

  #hand(task: Task, lanes: readonly Lane[]): void {
    // Counted as running itself while it is handed out: a handler that returns at once must not commit it for the rest.
    task.running++
    this.#tasks.push(task)
    for (const lane of lanes) lane.offer(task)
    this.#finish(task)
  }

  /**
   * Lets go of events that waited for a handler which was removed. Those that no other handler was given go back into the
   * inbox, and what is behind them waits in line with them: the cursor must not pass them. Only when a handler that is still
   * there has already gone on to later ones are they dropped: it would hear them out of order.
   */
  #release(waiting: readonly Task[]): void {
    const returned = waiting.filter(({ taken, running }) => !taken && running === 1)
    const first = this.#tasks.indexOf(returned[0]!)
    const line = first < 0 ? [] : this.#tasks.slice(first)
    const inOrder = this.#lanes.size === 0 || line.every((task) => !task.taken)
    const back = !this.#stopped && inOrder ? line : []
    this.#tasks.length -= back.length
    this.#inbox.unshift(...back.map((task) => (returned.includes(task) ? task.message : task)))
    for (const task of waiting) if (back.length === 0 || !returned.includes(task)) this.#finish(task)
    queueMicrotask(() => this.#pump())
  }

  #finish(task: Task): void {
    task.running--
    this.#commit()
  }

  /** Moves the cursor behind the oldest events that are finished, and no further: it never passes one under way. */
  #commit(): void {
    while (this.#tasks[0]?.running === 0) this.#options.onCommit(this.#tasks.shift()!.event.id)
    // A gap may have waited for this.
    if (this.#tasks.length === 0 && this.#inbox.length > 0) this.#pump()
    this.#wake()
  }

  #lanesFor(event: string): readonly Lane[] {
    const every = this.#lanesOf(undefined)
    return every.length > 0 ? [...this.#lanesOf(event), ...every] : this.#lanesOf(event)
  }

  #lanesOf(event: string | undefined): readonly Lane[] {
    return this.#lanes.get(event) ?? []
  }

  #until(enough: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      this.#waiters.push({ enough, resolve })
      this.#wake()
    })
  }

  #wake(): void {
    if (this.#waiters.length === 0) return
    const ready = this.#waiters.filter(({ enough }) => this.#stopped || enough())
    this.#waiters = this.#waiters.filter((waiter) => !ready.includes(waiter))
    for (const { resolve } of ready) resolve()
  }
}

/** A task without an event to hand out: it only moves the cursor, in its turn. */
function nothing(cursor: string): Task {
  const event = { event: '', data: '', id: cursor }
  return { message: event, event, taken: false, running: 0 }
}
