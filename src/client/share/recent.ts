import type { Gap } from '../../wire/control.ts'
import type { DecodedMessage } from '../../wire/decode.ts'
import type { Posted } from './message.ts'
import type { Closed } from '../status.ts'

/** One thing that a shared stream brought: an event, a gap, its end, or, with none of them, a checkpoint. */
export interface Item {
  /** The last event id in force behind it. */
  readonly id: string
  readonly message?: DecodedMessage
  readonly gap?: Gap
  readonly closed?: Posted<Closed>
}

/** How much is kept at most: so many entries, and so many characters in them. One entry is kept whatever its size. */
const MAX_ITEMS = 1_000
const MAX_CHARS = 4 << 20

/**
 * What a shared stream brought of late, numbered from 1 without holes. Whoever leads gives the numbers, and the next leader
 * goes on with them, so those of one `gen` mean the same to all.
 */
export class Recent {
  /** Names the numbering, at random; undefined as long as there is none. */
  gen: string | undefined
  #items: Item[] = []
  #last = 0
  #chars = 0
  /** The id in force before the oldest entry. */
  #before = ''

  /** The number of the newest entry, kept or not. */
  get last(): number {
    return this.#last
  }

  /** The number of the oldest entry that is kept. */
  get first(): number {
    return this.#last - this.#items.length + 1
  }

  /** The last event id in force behind the newest entry. */
  get id(): string {
    return this.#items.at(-1)?.id ?? this.#before
  }

  /** Whether the stream has come to its end. */
  get over(): boolean {
    return this.#items.at(-1)?.closed !== undefined
  }

  at(number: number): Item | undefined {
    return this.#items[number - this.first]
  }

  /** The last event id in force behind an entry. */
  idAt(number: number): string | undefined {
    return number === this.first - 1 ? this.#before : this.at(number)?.id
  }

  /** Whether a number means the same here as to somebody who has this id behind it. */
  knows(gen: string | undefined, number: number, id: string): boolean {
    return gen !== undefined && gen === this.gen && this.idAt(number) === id
  }

  /** Begins anew, with an empty numbering that goes on behind a number and an id. */
  begin(gen: string | undefined, last: number, id: string): void {
    this.gen = gen
    this.#last = last
    this.#before = id
    this.#items = []
    this.#chars = 0
  }

  push(entry: Item): void {
    this.#items.push(entry)
    this.#last++
    this.#chars += size(entry)
    while (this.#items.length > 1 && (this.#items.length > MAX_ITEMS || this.#chars > MAX_CHARS)) {
      const oldest = this.#items.shift()!
      this.#before = oldest.id
      this.#chars -= size(oldest)
    }
  }

  /** Takes off what lies behind a number, and gives it. */
  rewind(number: number): Item[] {
    const taken = this.#items.splice(Math.max(0, number - this.first + 1))
    this.#last -= taken.length
    for (const entry of taken) this.#chars -= size(entry)
    return taken
  }

  /** What lies behind a number, as far as it is kept. */
  after(number: number): Item[] {
    return this.#items.slice(Math.max(0, number - this.first + 1))
  }

  /**
   * The number up to which somebody has heard everything who resumes from `id`; undefined when that is not known. Events
   * without an id of their own count as heard: no server would send them again. What was lost behind the id does not.
   */
  find(id: string): number | undefined {
    let number = this.#last
    while (number >= this.first && !(this.idAt(number) === id && this.idAt(number - 1) !== id)) number--
    if (this.idAt(number) !== id) return undefined
    for (let next = this.at(number + 1); next?.id === id && !next.gap && !next.closed; next = this.at(number + 1)) number++
    return number
  }

  /** Whether somebody who has got no further than `number` will soon be too late for what follows. */
  isFar(number: number): boolean {
    if (number < this.first - 1 || this.#last - number > MAX_ITEMS / 2) return true
    let chars = 0
    for (let next = number + 1; next <= this.#last; next++) chars += size(this.at(next)!)
    return chars > MAX_CHARS / 2
  }
}

function size({ id, message }: Item): number {
  return id.length + (message ? message.event.length + message.data.length : 0)
}
