import type { LogPage } from '../server/log.ts'
import type { RingLog } from '../server/ring-log.ts'
import type { Topics } from '../server/topics.ts'
import { formatCursor } from '../server/cursor.ts'
import { encodeEntry } from '../wire/encode.ts'
import { entriesOf, type Entry } from './entries.ts'
import type { Keys } from './keys.ts'
import type { Link } from './link.ts'
import { epochOf } from './script.ts'
import type { Tail } from './tail.ts'

/** Most entries of a page, and about how many bytes they should be. */
const COUNT = 250
const PAGE_BYTES = 1 << 20

/** How long to wait before Redis is asked again, in ms. */
const PAUSE = 250

const utf8 = new TextEncoder()

/** Reads what lies before the memory of this node from Redis. */
export class Pages {
  #closed = false

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
      const entries = await this.#read(after, epoch)
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
  }

  /** `undefined` when Redis does not answer, or has another log by now, which the tail will notice. */
  async #read(after: number, epoch: string): Promise<Entry[] | undefined> {
    const { ring, keys } = this
    const mean = ring.bytes / Math.max(1, ring.head - ring.held + 1)
    const count = Math.max(1, Math.min(COUNT, Math.floor(PAGE_BYTES / Math.max(mean, 1))))
    try {
      const range = ['XRANGE', keys.events, `${after + 1}-0`, `${ring.held - 1}-0`, 'COUNT', String(count)]
      const entries = entriesOf(await this.link.send(keys.events, range, this.timeout))
      return entries.every(({ mark, record }) => !record || epochOf(mark) === epoch) ? entries : undefined
    } catch {
      // The tail has said why.
      return undefined
    }
  }
}

/** Where it goes on, behind what is no event. */
function firstOf([first]: readonly Entry[]): number | undefined {
  return first && (first.record ? first.seq : first.seq + 1)
}

/** The events that follow without a hole. */
function unbroken(entries: readonly Entry[], after: number): Entry[] {
  const end = entries.findIndex(({ seq, record }, i) => seq !== after + 1 + i || !record)
  return entries.slice(0, end === -1 ? entries.length : end)
}

function pageOf(entries: readonly Entry[], epoch: string, topics: Topics): LogPage {
  const isFor = ({ record }: Entry): boolean => record!.topic === undefined || topics === '*' || topics.includes(record!.topic)
  const blocks = entries.filter(isFor).map(({ seq, record }) => encodeEntry(formatCursor(epoch, seq), record!.event, record!.data))
  const last = entries.at(-1)!
  return { bytes: utf8.encode(blocks.join('')), last: last.seq, incomplete: false, lastLeftOut: !isFor(last) }
}
