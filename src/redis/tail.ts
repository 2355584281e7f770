import type { RingLog } from '../server/ring-log.ts'
import { charsOf, entriesOf, entriesRead, type Entry } from './entries.ts'
import type { Keys } from './keys.ts'
import type { Link } from './link.ts'
import { epochOf, type Known, type Standing } from './script.ts'

/** Longest that one read waits for news, in ms. Then the node asks where the log stands: a new epoch begins again at 1, which no read waits for. */
const BLOCK = 1_000

/** How much later no news means that the connection is dead, in ms. */
const GRACE = 5_000

/** How often it asks in any case, in ms. */
const ASK = 5_000

/** How many entries one read asks for: at first and, as long as there is more than that, up to twice as many each time; and about how many characters they should be. */
const COUNT = { first: 16, most: 1_000 }
const READ_CHARS = 4 << 20

/** How long to wait after a failure, in ms: first, and at most. */
const PAUSE = { first: 50, most: 1_000 }

/** What a tail is made of. */
export interface TailParts {
  readonly ring: RingLog
  readonly link: Link
  readonly keys: Keys
  /** Asks where the log stands. */
  readonly ask: () => Promise<Standing>
  /** It cannot be followed. Told once, until it can be again. */
  readonly onFault: (cause: unknown) => void
}

/** Follows the log in Redis into the memory of this node. */
export class Tail {
  /** `seq` of the oldest event that Redis has, as far as is known. */
  oldest = 1
  /** Everything that was there at first is here. */
  ready = false
  #closed = false
  /** What the newest event here was written with. */
  #mark = ''
  #waiting = new Set<() => void>()
  #count = COUNT.first

  constructor(readonly parts: TailParts) {}

  /** Whether everything is here up to where a log stood. */
  has({ epoch, head }: Standing): boolean {
    const { ring } = this.parts
    return ring.epoch === epoch && ring.head >= head
  }

  /** Waits until it has that, and gives true; false when the log has gone elsewhere. Rejects when neither was after so many ms. */
  until(standing: Standing, ms: number): Promise<boolean> {
    const { epoch } = this.parts.ring
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const now = this.parts.ring.epoch
        const elsewhere = now !== epoch && now !== standing.epoch
        if (!this.ready || !(elsewhere || this.has(standing))) return
        this.#waiting.delete(look)
        clearTimeout(timer)
        if (now === standing.epoch) this.oldest = Math.max(this.oldest, standing.oldest)
        resolve(!elsewhere)
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(look)
        reject(new Error(`nothing was heard of event ${standing.head} for ${ms} ms`))
      }, ms)
      this.#waiting.add(look)
      look()
    })
  }

  close(): void {
    this.#closed = true
    this.parts.link.close()
  }

  /** What this node knows. */
  get known(): Known {
    const { epoch, head } = this.parts.ring
    return { epoch, seq: head, mark: this.#mark }
  }

  async run(): Promise<void> {
    let pause = 0
    while (!this.#closed) {
      try {
        await this.#attune()
        pause = 0
        if (!(await this.#follow())) await new Promise((resolve) => setTimeout(resolve, PAUSE.first))
      } catch (cause) {
        if (this.#closed) return
        if (pause === 0) this.parts.onFault(cause)
        pause = Math.min(2 * pause || PAUSE.first, PAUSE.most)
        await new Promise((resolve) => setTimeout(resolve, pause))
      }
    }
  }

  /** Goes where the log stands, and reads what is there. */
  async #attune(): Promise<void> {
    let standing = await this.#join()
    while (!this.has(standing)) {
      if (await this.#read([])) continue
      const now = await this.#join()
      // What is said to be there is not: somebody has deleted it.
      if (now.epoch === standing.epoch && !this.has(standing)) this.#reset(standing.epoch, standing.head, standing.head + 1)
      standing = now
    }
    this.ready = true
    this.#look()
  }

  /** Asks where the log stands. Goes to the newest of it that fits in memory, when that is a log of which nothing is known here. */
  async #join(): Promise<Standing> {
    const { ring, ask } = this.parts
    const standing = await ask()
    const { epoch, head, oldest } = standing
    if (epoch === ring.epoch) this.oldest = Math.max(this.oldest, oldest)
    else this.#reset(epoch, Math.max(oldest - 1, head - (await this.#fitting())), oldest)
    return standing
  }

  /** About how many events fit in memory. */
  async #fitting(): Promise<number> {
    const { link, keys, ring } = this.parts
    const { events, bytes } = ring.bounds
    const newest = entriesOf(
      await link.send(keys.events, ['XREVRANGE', keys.events, '+', '-', 'COUNT', String(COUNT.first)], BLOCK + GRACE),
    )
    return Math.min(events, Math.floor((bytes * newest.length) / Math.max(1, charsOf(newest))))
  }

  /** Reads what comes, until it is time to ask again. False when that is because of what does not go on where this node is. */
  async #follow(): Promise<boolean> {
    const end = performance.now() + ASK
    while (!this.#closed && performance.now() < end) {
      const goesOn = await this.#read(['BLOCK', String(BLOCK)])
      if (!goesOn) return goesOn === undefined
    }
    return true
  }

  /** Gives undefined when there is nothing, and false for what does not go on where this node is. */
  async #read(options: readonly string[]): Promise<boolean | undefined> {
    const { ring, link, keys } = this.parts
    const after = `${ring.head}-0`
    const command = ['XREAD', 'COUNT', String(this.#count), ...options, 'STREAMS', keys.events, after]
    const entries = entriesRead(await link.send(keys.events, command, BLOCK + GRACE))
    const goesOn = entries.every((entry) => this.#take(entry))
    const isFull = entries.length === this.#count && 2 * charsOf(entries) <= READ_CHARS
    this.#count = isFull ? Math.min(2 * this.#count, COUNT.most) : COUNT.first
    this.#look()
    return entries.length === 0 ? undefined : goesOn
  }

  /** False for what was written in another epoch. */
  #take({ seq, mark, previous, record }: Entry): boolean {
    const { ring } = this.parts
    if (record && epochOf(mark) !== ring.epoch) return false
    // A server that knew less has gone on from there: to be asked about with what is known here.
    if (seq === ring.head + 1 && this.#mark !== '' && previous !== undefined && previous !== this.#mark)
      throw new Error(`Redis has gone on behind another event than the one that was ${ring.head} here`)
    // Redis has dropped what lies between.
    if (seq > ring.head + 1) this.#reset(ring.epoch, seq - 1, seq)
    if (record) {
      ring.append(record)
      this.#mark = mark
    } else {
      this.parts.onFault(new Error(`entry ${seq}-0 of ${this.parts.keys.events} is no event of eventwire`))
      this.#reset(ring.epoch, seq, seq + 1)
    }
    return true
  }

  #reset(epoch: string, head: number, oldest: number): void {
    this.oldest = oldest
    this.#mark = ''
    this.parts.ring.reset(epoch, head)
  }

  #look(): void {
    for (const look of this.#waiting) look()
  }
}
