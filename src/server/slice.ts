/** Longest that work for many connections holds the event loop, in ms. */
const LENGTH = 4

/** How many are dealt with between two looks at the clock. */
const STRIDE = 32

/** Goes on when others have had their turn. Where there is no setImmediate (Workers, browsers) a timer of 0 ms does it too. */
export const nextTurn: (run: () => void) => unknown = globalThis.setImmediate ?? ((run: () => void) => setTimeout(run, 0))

/** A piece of time to work in. */
export class Slice {
  readonly #end: number
  #stride = STRIDE

  constructor(length = LENGTH) {
    this.#end = performance.now() + length
  }

  /** As long as it takes. */
  static unbounded(): Slice {
    return new Slice(Infinity)
  }

  /** Acts on each item, until the time is over: then it gives false, and the iterator stands at the next item. */
  each<T>(items: Iterator<T> & Iterable<T>, act: (item: T) => void): boolean {
    for (const item of items) {
      act(item)
      if (--this.#stride > 0) continue
      this.#stride = STRIDE
      if (performance.now() >= this.#end) return false
    }
    return true
  }
}
