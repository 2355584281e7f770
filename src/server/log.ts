import { EventwireError } from '../errors.ts'
import { encodeBytes } from '../wire/encode.ts'
import { milliseconds, wholeNumber, type Duration } from './duration.ts'
import { formatCursor } from './cursor.ts'
import { checkMembers, type Members } from './members.ts'
import { Ring } from './ring.ts'
import { TopicIndex, type Topics } from './topics.ts'

/** An event on its way into a log: validated and serialised. */
export interface LogRecord {
  readonly event: string
  readonly data: string
  /** Who hears it; `undefined` is everyone. */
  readonly topic: string | undefined
  /** It replaces earlier events of the same name, topic and key, for those who could not keep up; `undefined` replaces none. */
  readonly key?: string | undefined
}

/** An event in a log: encoded once, for every connection. */
export interface LogEntry {
  /** Its place in the log: 1 for the first event of an epoch, without holes. */
  readonly seq: number
  readonly topic: string | undefined
  /** The block as it goes to the socket, `id:` line included. Shared: never write to it. */
  readonly bytes: Uint8Array
  /** The log holds a newer event of the same name, topic and key. */
  readonly superseded: boolean
}

/** Who is told of what happens to a log. */
export interface LogListener {
  /** An event was appended. Called in order of `seq`, before `append` returns. */
  onAppend(entry: LogEntry): void
  /** The log was replaced: it has a new epoch, and no cursor of the old one has a meaning. */
  onEpoch(): void
}

/** Ordered, bounded history of one emitter. */
export interface Log {
  /** Identifies this incarnation of the log, so that a cursor of an earlier one is recognised. 1 to 128 characters of `0-9a-z`. */
  readonly epoch: string
  /** `seq` of the newest event; 0 before the first. */
  readonly head: number
  /** `seq` of the oldest event held; `head + 1` when none is. */
  readonly oldest: number
  /** Bytes of the encoded events held. */
  readonly bytes: number
  /** Appends an event and gives its `seq`. Throws `too-large` or `invalid-message`, and then appends nothing. */
  append(record: LogRecord): number
  /** How many events of `topics` follow `after`. */
  count(after: number, topics: Topics): number
  /** The events of `topics` that follow `after`, oldest first, until they add up to `bytes`. Empty when there is none. */
  read(after: number, topics: Topics, bytes: number): LogEntry[]
  /** Takes the one listener: the emitter that owns the log. Gives a function that lets go of it. Throws `invalid-option` when another holds it. */
  listen(listener: LogListener): () => void
}

/** Bounds of a log. All hold at once: what exceeds any of them is evicted, oldest first. */
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
  const maxEvents = wholeNumber('history.events', options.events ?? 10_000, 0)
  const maxBytes = wholeNumber('history.bytes', options.bytes ?? 64 << 20, 0)
  const maxAge = milliseconds('history.age', options.age ?? Infinity)
  let epoch = newEpoch()
  let head = 0
  let bytesHeld = 0
  let entries = new Ring<MemoryEntry>()
  /** The newest event of each key. */
  let newest = new Map<string, MemoryEntry>()
  let index = new TopicIndex()
  let listener: LogListener | undefined

  const oldest = (): number => head - entries.length + 1

  const evict = (): void => {
    const deadline = performance.now() - maxAge
    while (entries.length > maxEvents || bytesHeld > maxBytes || (entries.length > 0 && entries.at(0).at < deadline)) {
      const entry = entries.shift()
      if (!entry) return
      bytesHeld -= entry.bytes.byteLength
      index.shift(entry.topic)
      if (entry.key !== undefined && !entry.superseded) newest.delete(entry.key)
    }
  }

  return {
    get epoch() {
      return epoch
    },
    get head() {
      return head
    },
    get oldest() {
      evict()
      return oldest()
    },
    get bytes() {
      evict()
      return bytesHeld
    },
    append({ event, data, topic, key: given }) {
      const seq = head + 1
      const bytes = encodeBytes({ id: formatCursor(epoch, seq), event, data })
      const key = given === undefined ? undefined : JSON.stringify([event, topic, given])
      const entry: MemoryEntry = { seq, topic, bytes, superseded: false, key, at: performance.now() }
      if (key !== undefined) {
        const replaced = newest.get(key)
        if (replaced) replaced.superseded = true
        newest.set(key, entry)
      }
      head = seq
      bytesHeld += bytes.byteLength
      entries.push(entry)
      index.push(topic, seq)
      evict()
      listener?.onAppend(entry)
      return seq
    },
    count(after, topics) {
      evict()
      return topics === '*' ? Math.min(head - after, entries.length) : index.count(after, topics)
    },
    read(after, topics, bytes) {
      evict()
      const first = oldest()
      const page: LogEntry[] = []
      let size = 0
      const seqs = topics === '*' ? undefined : index.after(after, topics, PAGE)
      const length = seqs ? seqs.length : Math.min(head - Math.max(after, first - 1), PAGE)
      for (let i = 0; i < length && size < bytes; i++) {
        const entry = entries.at((seqs ? seqs[i]! : Math.max(after + 1, first) + i) - first)
        page.push(entry)
        size += entry.bytes.byteLength
      }
      return page
    },
    listen(owner) {
      if (listener)
        throw new EventwireError(
          'invalid-option',
          'This log belongs to another emitter. Give each emitter a log of its own, or close the other first.',
        )
      listener = owner
      let held = true
      return () => {
        if (held) listener = undefined
        held = false
      }
    },
    clear() {
      epoch = newEpoch()
      head = 0
      bytesHeld = 0
      entries = new Ring()
      newest = new Map()
      index = new TopicIndex()
      listener?.onEpoch()
    },
  }
}

interface MemoryEntry extends LogEntry {
  superseded: boolean
  readonly key: string | undefined
  /** When it was appended, as `performance.now()` has it. */
  readonly at: number
}

/** Most events of one page: bounds the work of one `read`. */
const PAGE = 512

/** 12 characters of 36: two incarnations of a log never share one in practice. */
function newEpoch(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => (byte % 36).toString(36)).join('')
}
