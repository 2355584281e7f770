import { EventwireError } from '../errors.ts'
import { encodeEntry } from '../wire/encode.ts'
import { Arena } from './arena.ts'
import { formatCursor } from './cursor.ts'
import { milliseconds, wholeNumber, type Duration } from './duration.ts'
import { Latest } from './latest.ts'
import type { Log, LogListener, LogPage, LogRange, LogRecord } from './log.ts'
import { checkMembers, type Members } from './members.ts'
import { Ring } from './ring.ts'
import { join } from './bytes.ts'
import { TopicIndex, type TopicSeqs, type Topics } from './topics.ts'

/** Bounds of a log. All hold at once: what exceeds any of them is evicted, oldest first, once it was handed to those who keep up. */
export interface HistoryOptions {
  /** Most events held. 0 keeps none, so that nothing can be resumed. Default: 10,000. */
  events?: number | undefined
  /** Most bytes of encoded events held. Default: 64 MiB. */
  bytes?: number | undefined
  /** Longest an event is held, in ms or as `'10m'`. Default: Infinity. */
  age?: Duration | undefined
}

const HISTORY: Members<HistoryOptions> = { events: 'value', bytes: 'value', age: 'value' }

/** The log of one process, in memory. */
export interface MemoryLog extends Log {
  /** Forgets every event and begins a new epoch. Every connection hears a `$gap` with reason `epoch`. */
  clear(): void
}

/**
 * Makes a log in memory: a ring buffer with an index by topic. It ends with the process, and a client that comes back
 * to another process hears a `$gap` with reason `epoch`.
 *
 * @throws EventwireError `invalid-option` for a bound that is no number from 0.
 */
export function memoryLog(options: HistoryOptions = {}): MemoryLog {
  checkMembers('history', options, HISTORY)
  return new RingLog(
    wholeNumber('history.events', options.events ?? 10_000, 0),
    wholeNumber('history.bytes', options.bytes ?? 64 << 20, 0),
    milliseconds('history.age', options.age ?? Infinity),
  )
}

/** Most events of one page: bounds the work of one `read`. */
const PAGE = 512

class RingLog implements MemoryLog {
  epoch = newEpoch()
  head = 0
  #arena = new Arena()
  #index = new TopicIndex()
  /** Of each event held, where its topic keeps its number. */
  #topics = new Ring<TopicSeqs>()
  /** When each was appended, as `performance.now()` has it; empty while no age is too great. */
  #times = new Ring<number>()
  #latest = new Latest()
  #listener: LogListener | undefined

  constructor(
    readonly maxEvents: number,
    readonly maxBytes: number,
    readonly maxAge: number,
  ) {}

  get oldest(): number {
    this.#evict()
    return this.#oldest
  }

  get bytes(): number {
    this.#evict()
    return this.#arena.bytes
  }

  append({ event, data, topic, key }: LogRecord): number {
    const seq = this.head + 1
    const bytes = this.#arena.push(encodeEntry(formatCursor(this.epoch, seq), event, data))
    this.head = seq
    this.#topics.push(this.#index.push(topic, seq))
    if (this.maxAge !== Infinity) this.#times.push(performance.now())
    if (key !== undefined) this.#latest.set(seq, JSON.stringify([event, topic, key]))
    this.#listener?.onAppend(seq, topic, bytes)
    this.#evict()
    return seq
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
    this.#listener?.onEpochEnd()
    this.epoch = newEpoch()
    this.head = 0
    this.#arena = new Arena()
    this.#index = new TopicIndex()
    this.#topics = new Ring()
    this.#times = new Ring()
    this.#latest = new Latest()
    this.#listener?.onEpoch()
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

  get #oldest(): number {
    return this.head - this.#arena.length + 1
  }

  #evict(): void {
    const handed = this.#listener?.handed ?? Infinity
    const deadline = this.maxAge === Infinity ? -Infinity : performance.now() - this.maxAge
    while (this.#arena.length > 0 && this.#oldest <= handed && this.#exceeds(deadline)) {
      this.#latest.delete(this.#oldest)
      this.#arena.shift()
      this.#times.shift()
      this.#index.shift(this.#topics.shift()!)
    }
  }

  #exceeds(deadline: number): boolean {
    const { length, bytes } = this.#arena
    return length > this.maxEvents || bytes > this.maxBytes || (this.#times.length > 0 && this.#times.at(0) < deadline)
  }
}

function sequence(from: number, to: number): number[] {
  const seqs: number[] = []
  for (let seq = from; seq <= to; seq++) seqs.push(seq)
  return seqs
}

/** 12 characters of 36: two incarnations of a log never share one in practice. */
function newEpoch(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => (byte % 36).toString(36)).join('')
}
