import { plain, type Answer } from './http.ts'

/** One connection's place among as many as are allowed. */
export interface Slot {
  /** Takes the place; gives the refusal when none is left. Taking it twice takes it once. */
  take(): Answer | undefined
  /** Gives it back. Harmless when it is not held. */
  free(): void
}

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
    let held = false
    return {
      take: () => {
        if (held) return undefined
        const refusal = this.#refusal(key)
        if (refusal) return refusal
        held = true
        this.#add(key, 1)
        return undefined
      },
      free: () => {
        if (held) this.#add(key, -1)
        held = false
      },
    }
  }

  #refusal(key: string | undefined): Answer | undefined {
    if (this.#taken >= this.max) return plain(503, 'The server has as many event streams as it can carry. Try again soon.', retryAfter())
    if (key === undefined || (this.#byKey.get(key) ?? 0) < this.maxPerKey) return undefined
    return plain(429, `You have ${this.maxPerKey} event streams open, which is the limit. Close one first.`, retryAfter())
  }

  #add(key: string | undefined, change: 1 | -1): void {
    this.#taken += change
    if (key === undefined) return
    const count = (this.#byKey.get(key) ?? 0) + change
    if (count > 0) this.#byKey.set(key, count)
    else this.#byKey.delete(key)
  }
}

/** 5 to 15 seconds, so that those who were refused together do not come back together. */
function retryAfter(): { 'retry-after': string } {
  return { 'retry-after': String(5 + Math.floor(Math.random() * 11)) }
}
