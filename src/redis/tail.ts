import type { RingLog } from '../server/ring-log.ts'
import { entriesRead, type Entry } from './entries.ts'
import type { Keys } from './keys.ts'
import type { Link } from './link.ts'
import { epochOf, type Known, type Standing } from './script.ts'

/** Longest that one read waits for news, in ms. Then the node asks where the log stands: a new epoch begins again at 1, which no read waits for. */
const BLOCK = 1_000

/** How much later no news means that the connection is dead, in ms. */
const GRACE = 5_000

/** How often it asks in any case, in ms. */
const ASK = 5_000

/** Most entries of one read, and about how many bytes they should be. */
const COUNT = 1_000
const READ_BYTES = 8 << 20

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
  /** Mean size of an entry, in characters. */
  #size = 256

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
        await this.#follow()
      } catch (cause) {
        if (this.#closed) return
        if (pause === 0) this.parts.onFault(cause)
        pause = Math.min(2 * pause || PAUSE.first, PAUSE.most)
        await new Promise((resolve) => setTimeout(resolve, pause))
      }
    }
  }

  /** Goes where the log stands: to the newest of it that fits in memory, when that is a log of which nothing is known here. */
  async #attune(): Promise<void> {
    const { ring, ask } = this.parts
    const standing = await ask()
    const { epoch, head, oldest } = standing
    if (epoch === ring.epoch) this.oldest = Math.max(this.oldest, oldest)
    else this.#reset(epoch, Math.max(oldest - 1, head - ring.bounds.events), oldest)
    while (!this.ready && !this.has(standing)) await this.#read([])
    this.ready = true
    this.#look()
  }

  /** Reads what comes, until it is time to ask again. */
  async #follow(): Promise<void> {
    const end = performance.now() + ASK
    while (!this.#closed && performance.now() < end && (await this.#read(['BLOCK', String(BLOCK)])));
  }

  /** False when there was nothing, or nothing that goes on where this node is. */
  async #read(options: readonly string[]): Promise<boolean> {
    const { ring, link, keys } = this.parts
    const count = Math.max(1, Math.min(COUNT, Math.floor(READ_BYTES / this.#size)))
    const after = `${ring.head}-0`
    const reply = await link.send(keys.events, ['XREAD', 'COUNT', String(count), ...options, 'STREAMS', keys.events, after], BLOCK + GRACE)
    const entries = entriesRead(reply)
    const goesOn = entries.every((entry) => this.#take(entry))
    const chars = entries.reduce((sum, { record }) => sum + (record?.data.length ?? 0), 0)
    if (entries.length > 0) this.#size = Math.max(64, chars / entries.length)
    this.#look()
    return goesOn && entries.length > 0
  }

  /** False for what was written in another epoch. */
  #take({ seq, mark, record }: Entry): boolean {
    const { ring } = this.parts
    if (record && epochOf(mark) !== ring.epoch) return false
    // Redis has dropped what lies between.
    if (seq > ring.head + 1) this.#reset(ring.epoch, seq - 1, seq)
    try {
      if (!record) throw new Error(`entry ${seq}-0 of ${this.parts.keys.events} is no event of eventwire`)
      ring.append(record)
      this.#mark = mark
    } catch (cause) {
      this.parts.onFault(cause)
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
