import { formatCursor, newEpoch } from '../server/cursor.ts'
import type { LogRecord } from '../server/log.ts'
import { isPassing, unavailable } from './fault.ts'
import { knownFrom, type Appended, type Batch, type Known } from './script.ts'

/** Most events of one batch, and about how many characters. */
const EVENTS = 256
const CHARS = 1 << 20

/** How long to wait before a batch is sent again, in ms: first, and at most. */
const PAUSE = { first: 20, most: 500 }

/** An event that waits to be appended. */
interface Waiting {
  readonly record: LogRecord
  /** When it is too late, as `performance.now()` has it. */
  readonly due: number
  settle(outcome: { readonly id: string } | { readonly cause: unknown }): void
}

/** Sends a batch, as often as it is asked to; it is appended once. Gives where; rejects when that is not known after so many ms. */
export type SendBatch = (batch: Batch, timeout: number) => Promise<Appended>

/**
 * Appends events in the order in which they come, a batch at a time: what comes while one is under way is the next, so that
 * many who publish at once share the way there and back.
 */
export class Appender {
  /** The newest event that it has appended. */
  newest: Known = { epoch: '', seq: 0, mark: '' }
  /** Tells its batches from those of others. */
  readonly #writer = newEpoch()
  #number = 0
  #queue: Waiting[] = []
  #busy: Promise<void> | undefined
  /** Why the batch that is under way was not appended when it was sent last. */
  #cause: unknown

  constructor(
    readonly deadline: number,
    readonly send: SendBatch,
    /** Why it takes so long, where that is known. */
    readonly trouble: () => unknown,
    /** How many commands have gone out: as long as that stays the same, a batch cannot have been appended. */
    readonly sent: () => number,
  ) {}

  /** Gives the id. Rejects with `log-unavailable` when that is not known by the deadline. */
  append(record: LogRecord): Promise<string> {
    return new Promise((resolve, reject) => {
      const late = (): void =>
        waiting.settle({ cause: this.#cause ?? this.trouble() ?? new Error(`there was no answer for ${this.deadline} ms`) })
      const timer = setTimeout(late, this.deadline)
      const waiting: Waiting = {
        record,
        due: performance.now() + this.deadline,
        settle: (outcome) => {
          clearTimeout(timer)
          if ('id' in outcome) resolve(outcome.id)
          else reject(unavailable(`emit(${JSON.stringify(record.event)}) is not known to have reached Redis`, outcome.cause))
        },
      }
      this.#queue.push(waiting)
      this.#busy ??= this.#run()
    })
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    await this.#busy
  }

  async #run(): Promise<void> {
    // What is emitted in the same turn goes together.
    await Promise.resolve()
    while (this.#queue.length > 0) {
      const batch = this.#take()
      if (batch.length > 0) await this.#sendUntilDue(batch)
    }
    this.#busy = undefined
  }

  /** The next batch, without those whose time was over before they were sent. */
  #take(): Waiting[] {
    let count = 0
    for (let chars = 0; count < Math.min(EVENTS, this.#queue.length) && chars < CHARS; count++)
      chars += this.#queue[count]!.record.data.length
    const now = performance.now()
    return this.#queue.splice(0, count).filter(({ due }) => due > now)
  }

  async #sendUntilDue(batch: readonly Waiting[]): Promise<void> {
    const number = ++this.#number
    const due = batch.at(-1)!.due
    const sent = this.sent()
    for (let pause = PAUSE.first; ; pause = Math.min(2 * pause, PAUSE.most)) {
      // What may be there is sent again as it was. Else nobody hears what has been refused by now.
      const now = performance.now()
      const left = this.sent() === sent ? batch.filter((waiting) => waiting.due > now) : batch
      if (left.length === 0) return
      const numbered = { writer: this.#writer, number, records: left.map(({ record }) => record) }
      try {
        const appended = await this.send(numbered, Math.max(1, due - now))
        this.#cause = undefined
        this.newest = knownFrom(numbered, appended)
        for (const [i, waiting] of left.entries()) waiting.settle({ id: formatCursor(appended.epoch, appended.first + i) })
        return
      } catch (cause) {
        this.#cause = cause
        const time = isPassing(cause) ? due - performance.now() : 0
        if (time <= 0) {
          for (const waiting of batch) waiting.settle({ cause })
          return
        }
        await new Promise((resolve) => setTimeout(resolve, Math.min(pause, time)))
      }
    }
  }
}
