/** A queue in a circular buffer that grows by doubling: push, shift and look-up by position in constant time. */
export class Ring<T> {
  #items: (T | undefined)[]
  #start = 0
  length = 0

  /** `capacity`, a power of two, is what it begins with. */
  constructor(capacity = 16) {
    this.#items = new Array<T | undefined>(capacity)
  }

  push(item: T): void {
    if (this.length === this.#items.length) this.#grow()
    this.#items[(this.#start + this.length++) & (this.#items.length - 1)] = item
  }

  shift(): T | undefined {
    if (this.length === 0) return undefined
    const item = this.#items[this.#start]
    this.#items[this.#start] = undefined
    this.#start = (this.#start + 1) & (this.#items.length - 1)
    this.length--
    return item
  }

  /** The item at `position`, counted from the oldest. Only for a position below `length`. */
  at(position: number): T {
    return this.#items[(this.#start + position) & (this.#items.length - 1)] as T
  }

  /** The first position whose item satisfies `test`; `length` when none does. Once true, `test` must stay true. */
  findFirst(test: (item: T) => boolean): number {
    let low = 0
    let high = this.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (test(this.at(middle))) high = middle
      else low = middle + 1
    }
    return low
  }

  #grow(): void {
    const grown = new Array<T | undefined>(this.#items.length * 2)
    for (let i = 0; i < this.length; i++) grown[i] = this.at(i)
    this.#items = grown
    this.#start = 0
  }
}
