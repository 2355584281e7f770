import { MAX_DELAY } from '../wire/decode.ts'

/** One that waits for its time. */
interface Timer {
  due: number
  readonly wait: number
  readonly repeats: boolean
  readonly run: () => unknown
}

/** What sets a timer gives this: what `Timeout` of node can do, and its number to whoever wants one, as in browsers. */
export interface TimerHandle {
  ref(): TimerHandle
  unref(): TimerHandle
  hasRef(): boolean
  refresh(): TimerHandle
  close(): TimerHandle
  [Symbol.dispose](): void
  [Symbol.toPrimitive](): number
}

/** Numbers of timers begin here, so that none is that of a real one. */
const FIRST = 1e12

/** Timers that go off when they are told to. */
export class Timers {
  /** The time, in ms. */
  now: number
  readonly #waiting = new Map<number, Timer>()
  #number = FIRST

  constructor(now: number) {
    this.now = now
  }

  /** When the next one is due; `undefined` when none waits. */
  get due(): number | undefined {
    return this.#earliest()?.[1].due
  }

  add(run: () => unknown, delay: unknown, repeats: boolean): TimerHandle {
    const ms = Number(delay)
    // As the real ones do: what they cannot wait for is due at once.
    const wait = Math.max(repeats ? 1 : 0, ms > 0 && ms <= MAX_DELAY ? ms : 0)
    const timer = { due: this.now + wait, wait, repeats, run }
    const number = this.#number++
    this.#waiting.set(number, timer)
    let referenced = true
    const refer = (to: boolean): TimerHandle => {
      referenced = to
      return handle
    }
    const handle: TimerHandle = {
      ref: () => refer(true),
      unref: () => refer(false),
      hasRef: () => referenced,
      refresh: () => {
        timer.due = this.now + wait
        this.#waiting.set(number, timer)
        return handle
      },
      close: () => {
        this.#waiting.delete(number)
        return handle
      },
      [Symbol.dispose]: () => void this.#waiting.delete(number),
      [Symbol.toPrimitive]: () => number,
    }
    return handle
  }

  /** Takes a timer out, by its handle or its number. False when it is none of these. */
  remove(timer: unknown): boolean {
    const isHandle = typeof timer === 'object' && timer !== null && Symbol.toPrimitive in timer
    return (isHandle || typeof timer === 'number' || typeof timer === 'string') && this.#waiting.delete(Number(timer))
  }

  /** Fires the one that has been due the longest. False when none is due. */
  fire(): boolean {
    const [number, timer] = this.#earliest() ?? []
    if (!timer || timer.due > this.now) return false
    if (timer.repeats) timer.due += timer.wait
    else this.#waiting.delete(number!)
    timer.run()
    return true
  }

  #earliest(): [number, Timer] | undefined {
    let first: [number, Timer] | undefined
    // Those that are due together go off in the order in which they were set.
    for (const entry of this.#waiting) if (!first || entry[1].due < first[1].due) first = entry
    return first
  }
}
