import { plain, type Answer } from './http.ts'

/** Counts connections, all and by key, against their limits. */
export class Slots {
  #taken = 0
  readonly #byKey = new Map<string, number>()

  constructor(
    readonly max: number,
    readonly maxPerKey: number,
  ) {}

  /** A place that counts for `key`, or for none in particular. */
  of(key: string | undefined): Slot {
    return new Slot(this, key)
  }

  /** The refusal when no place is left. */
  refusal(key: string | undefined): Answer | undefined {
    if (this.#taken >= this.max) return plain(503, 'The server has as many event streams as it can carry. Try again soon.', retryAfter())
    if (key === undefined || (this.#byKey.get(key) ?? 0) < this.maxPerKey) return undefined
    return plain(429, `You have ${this.maxPerKey} event streams open, which is the limit. Close one first.`, retryAfter())
  }

  /** Counts one more, or one less. */
  add(key: string | undefined, change: 1 | -1): void {
    this.#taken += change
    if (key === undefined) return
    const count = (this.#byKey.get(key) ?? 0) + change
    if (count > 0) this.#byKey.set(key, count)
    else this.#byKey.delete(key)
  }
}

/** One connection's place among as many as are allowed. */
export class Slot {
  readonly #slots: Slots
  readonly #key: string | undefined
  #held = false

  constructor(slots: Slots, key: string | undefined) {
    this.#slots = slots
    this.#key = key
  }

  /** Takes the place; gives the refusal when none is left. Taking it twice takes it once. */
  take(): Answer | undefined {
    const refusal = this.#held ? undefined : this.#slots.refusal(this.#key)
    if (!refusal) this.#count(true)
    return refusal
  }

  /** Gives it back. Harmless when it is not held. */
  free(): void {
    this.#count(false)
  }

  #count(held: boolean): void {
    if (held !== this.#held) this.#slots.add(this.#key, held ? 1 : -1)
    this.#held = held
  }
}

/** 5 to 15 seconds, so that those who were refused together do not come back together. */
function retryAfter(): { 'retry-after': string } {
  return { 'retry-after': String(5 + Math.floor(Math.random() * 11)) }
}
