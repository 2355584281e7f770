import { EventwireError } from '../errors.ts'
import { MAX_DELAY } from '../wire/decode.ts'
import { milliseconds, type Duration } from './duration.ts'
import { checkMembers } from './members.ts'

/** Options of `close`. */
export interface CloseOptions {
  /** How long the ends are spread over, and after which what is left is cut, in ms or as `'10s'`. Default: 0, all at once, and cut after a second. */
  grace?: Duration | undefined
}

/** A stream that can be asked to go. */
export interface Leaving {
  /**
   * Asks the client to wait for `retry` ms before it comes back, and ends the stream: now, or when what it does is done if it
   * may take its time.
   */
  close(retry: number, mayFinish: boolean): void
  /** Ends it at once. */
  destroy(): void
}

/** How often some are asked to go, in ms. */
const STEP = 20

/** How long after an end without grace what is left is cut, in ms. */
const LINGER = 1_000

/** The part of the grace period over which the ends are spread; the rest is theirs to finish. */
const SPREAD = 0.9

/** The one way to the end of what answers with streams. */
export class Shutdown {
  /** `closing`: new streams are refused, those that are open go on until it is their turn. `closed`: nothing goes on. */
  phase: 'open' | 'closing' | 'closed' = 'open'
  readonly #ended = Promise.withResolvers<void>()
  #timer: ReturnType<typeof setInterval> | undefined
  #held = true

  constructor(
    readonly streams: ReadonlySet<Leaving>,
    /** The usual reconnection time, in ms. */
    readonly retry: number,
    readonly onClosed: () => void,
  ) {}

  /** Begins, and resolves when the last stream is gone. A second call joins the first. */
  async start(options: CloseOptions = {}): Promise<void> {
    checkMembers<CloseOptions>('close', options, { grace: 'value' })
    const grace = milliseconds('grace', options.grace ?? 0)
    if (grace > MAX_DELAY)
      throw new EventwireError('invalid-option', 'close: grace is longer than a timer can wait. Give less than 24 days.')
    if (this.phase !== 'open') return this.#ended.promise
    this.phase = 'closing'
    if (grace === 0) {
      this.phase = 'closed'
      for (const stream of this.streams) stream.close(this.#jittered(), false)
      this.#letGo()
      this.#timer = setTimeout(() => this.#cut(), LINGER)
    } else {
      this.#spread(grace)
    }
    this.gone()
    return this.#ended.promise
  }

  /** To be told when a stream has gone. */
  gone(): void {
    if (this.phase === 'open' || this.streams.size > 0) return
    this.phase = 'closed'
    this.#letGo()
    clearInterval(this.#timer)
    this.#ended.resolve()
  }

  #spread(grace: number): void {
    const waiting = [...this.streams]
    const total = waiting.length
    const begun = performance.now()
    this.#timer = setInterval(() => {
      const passed = (performance.now() - begun) / grace
      const due = Math.min(total, Math.ceil((passed / SPREAD) * total))
      while (total - waiting.length < due) waiting.pop()?.close(this.#jittered(), true)
      if (passed < 1) return
      this.phase = 'closed'
      clearInterval(this.#timer)
      this.#cut()
    }, STEP)
  }

  #cut(): void {
    for (const stream of this.streams) stream.destroy()
  }

  /** Not before the streams have been asked to go: until then they are owed what was emitted. */
  #letGo(): void {
    if (!this.#held) return
    this.#held = false
    this.onClosed()
  }

  /** Up to twice the usual, so that those who leave together do not come back together. */
  #jittered(): number {
    return Math.round(this.retry * (1 + Math.random()))
  }
}
