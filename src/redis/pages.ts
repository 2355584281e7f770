import { formatCursor } from '../server/cursor.ts'
import type { LogPage } from '../server/log.ts'
import type { RingLog } from '../server/ring-log.ts'
import type { Topics } from '../server/topics.ts'
import { encodeEntry } from '../wire/encode.ts'
import { charsOf, entriesOf, type Entry } from './entries.ts'
import type { Keys } from './keys.ts'
import type { Link } from './link.ts'
import { epochOf } from './script.ts'
import type { Tail } from './tail.ts'

/** Most entries of a read, a power of two, and about how many bytes they and a page should be. */
const COUNT = 64
const PAGE_BYTES = 64 << 10

/** How many reads are under way at most; and how many of the last ones are kept, for others that want the same. */
const AT_ONCE = 4
const KEPT = 64

/** How long to wait before Redis is asked again, in ms. */
const PAUSE = 250

const utf8 = new TextEncoder()

/** Reads what lies before the memory of this node from Redis. */
export class Pages {
  #closed = false
  /** By where they begin. Reads end where those of others begin, so that who goes the same way shares them. */
  readonly #reads = new Map<string, Promise<Entry[] | undefined>>()
  #underWay = 0
  readonly #waiting: (() => void)[] = []

  constructor(
    readonly ring: RingLog,
    readonly tail: Tail,
    readonly link: Link,
    readonly keys: Keys,
    readonly timeout: number,
  ) {}

  /** What follows `after`, as soon as Redis says it; `undefined` when that has to be looked for elsewhere. */
  async fetch(after: number, topics: Topics): Promise<LogPage | undefined> {
    const { epoch } = this.ring
    while (!this.#closed && this.ring.epoch === epoch && after < this.ring.held - 1 && after >= this.tail.oldest - 1) {
      const entries = await this.#readOnce(after, epoch)
      if (!entries || this.ring.epoch !== epoch) {
        await new Promise((resolve) => setTimeout(resolve, PAUSE))
        continue
      }
      const found = unbroken(entries, after)
      if (found.length > 0) return pageOf(found, epoch, topics)
      this.tail.oldest = Math.max(this.tail.oldest, firstOf(entries) ?? this.ring.held)
    }
    return undefined
  }

  close(): void {
    this.#closed = true
    this.link.close()
  }

  /** Reads, or gives what was read of late. */
  #readOnce(after: number, epoch: string): Promise<Entry[] | undefined> {
    const key = `${epoch} ${after}`
    const found = this.#reads.get(key)
    if (found) return found
    const read = this.#read(after, epoch)
    this.#reads.set(key, read)
    const [oldest] = this.#reads.keys()
    if (this.#reads.size > KEPT) this.#reads.delete(oldest!)
    void read.then((entries = []) => {
      // Nor what is larger than it was taken for: all that is kept is to stay small.
      if (entries.length === 0 || charsOf(entries) > 4 * PAGE_BYTES) this.#reads.delete(key)
    })
    return read
  }

  /** `undefined` when Redis does not answer, or has another log by now, which the tail will notice. */
  async #read(after: number, epoch: string): Promise<Entry[] | undefined> {
    const { ring, keys } = this
    await this.#turn()
    const mean = ring.bytes / Math.max(1, ring.head - ring.held + 1)
    const step = 2 ** Math.floor(Math.log2(Math.max(1, Math.min(COUNT, PAGE_BYTES / Math.max(mean, 1)))))
    const range = [`${after + 1}-0`, `${ring.held - 1}-0`, 'COUNT', String(step - (after % step))]
    try {
      const entries = entriesOf(await this.link.send(keys.events, ['XRANGE', keys.events, ...range], this.timeout))
      const isStrange = ({ mark, record }: Entry): boolean => record !== undefined && epochOf(mark) !== epoch
      if (!entries.some(isStrange)) return entries
      // Either it has another log by now, or somebody else has written them.
      if ((await this.tail.parts.ask()).epoch !== epoch) return undefined
      return entries.map((entry) => (isStrange(entry) ? { seq: entry.seq, mark: '', previous: undefined, record: undefined } : entry))
    } catch {
      // The tail has said why.
      return undefined
    } finally {
      this.#underWay--
      this.#waiting.shift()?.()
    }
  }

  /** Resolves when a read may begin. */
  async #turn(): Promise<void> {
    if (this.#underWay >= AT_ONCE) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#underWay++
  }
}

/** Where it goes on, behind what is no event. */
function firstOf([first]: readonly Entry[]): number | undefined {
  return first && (first.record ? first.seq : first.seq + 1)
}

/** The events that follow without a hole, as far as they make a page. */
function unbroken(entries: readonly Entry[], after: number): Entry[] {
  const found: Entry[] = []
  let chars = 0
  for (const entry of entries) {
    if (entry.seq !== after + 1 + found.length || !entry.record || chars >= PAGE_BYTES) break
    found.push(entry)
    chars += entry.record.data.length
  }
  return found
}

function pageOf(entries: readonly Entry[], epoch: string, topics: Topics): LogPage {
  const isFor = ({ record }: Entry): boolean => record!.topic === undefined || topics === '*' || topics.includes(record!.topic)
  const blocks = entries.filter(isFor).map(({ seq, record }) => encodeEntry(formatCursor(epoch, seq), record!.event, record!.data))
  const last = entries.at(-1)!
  return { bytes: utf8.encode(blocks.join('')), last: last.seq, incomplete: false, lastLeftOut: !isFor(last) }
}
