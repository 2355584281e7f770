import { EventwireError } from '../errors.ts'
import { encodeEntry } from '../wire/encode.ts'
import { Arena } from './arena.ts'
import { formatCursor, newEpoch } from './cursor.ts'
import { Latest } from './latest.ts'
import type { LogListener, LogPage, LogRange, LogRecord } from './log.ts'
import type { MemoryLog } from './memory-log.ts'
import { Ring } from './ring.ts'
import { join } from './bytes.ts'
import { TopicIndex, type TopicSeqs, type Topics } from './topics.ts'

/** Most events of one page: bounds the work of one `read`. */
const PAGE = 512

/** Bounds of a {@link RingLog}, all at once; `age` in ms. */
export interface RingBounds {
  readonly events: number
  readonly bytes: number
  readonly age: number
}

/** Events in memory: a ring buffer with an index by topic. All of a log that is not shared, the newest of one that is. */
export class RingLog implements MemoryLog {
  #arena = new Arena()
  #index = new TopicIndex()
  /** Of each event held, where its topic keeps its number. */
  #topics = new Ring<TopicSeqs>()
  /** When each was appended, as `performance.now()` has it; empty while no age is too great. */
  #times = new Ring<number>()
  #latest = new Latest()
  #listener: LogListener | undefined

  head = 0
  /** `seq` of the oldest event held, as far as was looked. */
  #oldest = 1

  constructor(
    readonly bounds: RingBounds,
    public epoch: string,
  ) {}

  get oldest(): number {
    this.#evict()
    return this.#oldest
  }

  get held(): number {
    return this.oldest
  }

  get bytes(): number {
    this.#evict()
    return this.#arena.bytes
  }

  append({ event, data, topic, key }: LogRecord): string {
    const seq = this.head + 1
    const id = formatCursor(this.epoch, seq)
    const bytes = this.#arena.push(encodeEntry(id, event, data))
    this.head = seq
    this.#topics.push(this.#index.push(topic, seq))
    if (this.bounds.age !== Infinity) this.#times.push(performance.now())
    if (key !== undefined) this.#latest.set(seq, JSON.stringify([event, topic, key]))
    this.#listener?.onAppend(seq, topic, bytes)
    this.#evict()
    return id
  }

  count(after: number, topics: Topics): number {
    this.#evict()
    return topics === '*' ? Math.min(this.head - after, this.#arena.length) : this.#index.count(after, topics)
  }

  read({ after, to = Infinity, bytes, latest = false }: LogRange, topics: Topics): LogPage | undefined {
    this.#evict()
    const from = Math.max(after + 1, this.#oldest)
    const end = Math.min(to, this.head)
    const run = topics === '*' ? { first: from, length: end - from + 1 } : this.#index.run(from, end, topics)
    if (run && !latest) return run.length > 0 ? this.#view(run.first, Math.min(run.length, PAGE), bytes) : undefined
    const seqs = topics === '*' ? sequence(from, Math.min(end, from + PAGE - 1)) : this.#index.between(from, end, topics, PAGE)
    return seqs.length > 0 ? this.pick(seqs, bytes, latest) : undefined
  }

  pick(seqs: readonly number[], bytes: number, latest = false): LogPage {
    let size = 0
    let length = 0
    while (length < seqs.length && (length === 0 || size < bytes)) size += this.#arena.size(seqs[length++]! - this.#oldest)
    const page = length < seqs.length ? seqs.slice(0, length) : seqs
    const kept = latest ? page.filter((seq) => !this.#latest.replaced(seq)) : page
    const last = page.at(-1)!
    return { bytes: this.#bytesOf(kept), last, incomplete: kept.length < length, lastLeftOut: kept.at(-1) !== last }
  }

  listen(owner: LogListener): () => void {
    if (this.#listener)
      throw new EventwireError(
        'invalid-option',
        'This log belongs to another emitter. Give each emitter a log of its own, or close the other first.',
      )
    this.#listener = owner
    let held = true
    return () => {
      if (held) this.#listener = undefined
      held = false
    }
  }

  clear(): void {
    this.reset(newEpoch(), 0)
  }

  /** Goes on behind a `seq` of an epoch, with nothing in memory. */
  reset(epoch: string, head: number): void {
    this.#listener?.beforeReset()
    this.epoch = epoch
    this.head = head
    this.#oldest = head + 1
    this.#arena = new Arena()
    this.#index = new TopicIndex()
    this.#topics = new Ring()
    this.#times = new Ring()
    this.#latest = new Latest()
    this.#listener?.onReset()
  }

  /** Events that follow one another, as far as they do so in memory: nothing is copied. */
  #view(first: number, length: number, bytes: number): LogPage {
    const position = first - this.#oldest
    let last = position
    let size = this.#arena.size(last)
    while (last + 1 < position + length && size < bytes && this.#arena.adjoins(last)) size += this.#arena.size(++last)
    return { bytes: this.#arena.view(position, last), last: this.#oldest + last, incomplete: false, lastLeftOut: false }
  }

  /** A view where the events lie one behind the other, as they mostly do, or else a copy. */
  #bytesOf(seqs: readonly number[]): Uint8Array {
    const first = this.#oldest
    const runs: Uint8Array[] = []
    for (let from = 0, to = 0; from < seqs.length; from = to) {
      do to++
      while (to < seqs.length && seqs[to] === seqs[to - 1]! + 1 && this.#arena.adjoins(seqs[to - 1]! - first))
      runs.push(this.#arena.view(seqs[from]! - first, seqs[to - 1]! - first))
    }
    return join(runs)
  }

  #evict(): void {
    const handed = this.#listener?.handed ?? Infinity
    const deadline = this.bounds.age === Infinity ? -Infinity : performance.now() - this.bounds.age
    while (this.#arena.length > 0 && this.#oldest <= handed && this.#exceeds(deadline)) {
      this.#latest.delete(this.#oldest++)
      this.#arena.shift()
      this.#times.shift()
      this.#index.shift(this.#topics.shift()!)
    }
  }

  #exceeds(deadline: number): boolean {
    const { length, bytes } = this.#arena
    return length > this.bounds.events || bytes > this.bounds.bytes || (this.#times.length > 0 && this.#times.at(0) < deadline)
  }
}

function sequence(from: number, to: number): number[] {
  const seqs: number[] = []
  for (let seq = from; seq <= to; seq++) seqs.push(seq)
  return seqs
}
