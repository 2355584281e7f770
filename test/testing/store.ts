import type { Log, LogListener, LogPage, LogRange, LogRecord, Topics } from 'eventwire/server'
import { encode } from 'eventwire/wire'
import { newEpoch } from '../../src/server/cursor.ts'
import { RingLog } from '../../src/server/ring-log.ts'

/** What several logs share, as they would a database: it answers later, and in the order of the questions. */
export class Store {
  epoch = newEpoch()
  records: LogRecord[] = []
  /** How many of the oldest it has dropped. */
  dropped = 0
  #changed = Promise.withResolvers<void>()

  async append(record: LogRecord): Promise<string> {
    await turn()
    const id = `${this.epoch}-${this.records.push(record)}`
    this.#tell()
    return id
  }

  async changed(): Promise<void> {
    await this.#changed.promise
  }

  /** Begins anew. */
  clear(): void {
    this.epoch = newEpoch()
    this.records = []
    this.#tell()
  }

  #tell(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}

/** A log on a store: the newest events are in memory, the others are fetched. */
export class StoreLog implements Log {
  readonly #ring: RingLog

  constructor(
    readonly store: Store,
    events = 10,
  ) {
    this.#ring = new RingLog({ events, bytes: Infinity, age: Infinity }, '')
  }

  get epoch(): string {
    return this.#ring.epoch
  }

  get head(): number {
    return this.#ring.head
  }

  get oldest(): number {
    return this.store.dropped + 1
  }

  get held(): number {
    return this.#ring.oldest
  }

  get bytes(): number {
    return this.#ring.bytes
  }

  append(record: LogRecord): Promise<string> {
    encode({ event: record.event, data: record.data })
    return this.store.append(record)
  }

  count(after: number, topics: Topics): number {
    return topics === '*' ? this.head - after : this.#ring.count(after, topics)
  }

  read(range: LogRange, topics: Topics): LogPage | undefined {
    return this.#ring.read(range, topics)
  }

  pick(seqs: readonly number[], bytes: number): LogPage {
    return this.#ring.pick(seqs, bytes)
  }

  async fetch(after: number, topics: Topics): Promise<LogPage | undefined> {
    await turn()
    if (after < this.oldest - 1) return undefined
    const last = Math.min(after + 7, this.held - 1)
    const seqs = Array.from({ length: last - after }, (_, i) => after + i + 1).filter((seq) => {
      const { topic } = this.store.records[seq - 1]!
      return topics === '*' || topic === undefined || topics.includes(topic)
    })
    const blocks = seqs.map((seq) => {
      const { event, data } = this.store.records[seq - 1]!
      return encode({ id: `${this.epoch}-${seq}`, event, data })
    })
    return { bytes: new TextEncoder().encode(blocks.join('')), last, incomplete: false, lastLeftOut: seqs.at(-1) !== last }
  }

  async sync(): Promise<void> {
    await turn()
    this.#catchUp()
  }

  listen(listener: LogListener): () => void {
    const release = this.#ring.listen(listener)
    const ending = new AbortController()
    void this.#tail(ending.signal)
    return () => {
      ending.abort()
      release()
    }
  }

  async #tail(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.store.changed()
      await turn()
      if (!signal.aborted) this.#catchUp()
    }
  }

  #catchUp(): void {
    const { epoch, records } = this.store
    // A new node begins with the newest three.
    if (this.#ring.epoch !== epoch) this.#ring.reset(epoch, this.#ring.epoch === '' ? Math.max(0, records.length - 3) : 0)
    while (this.#ring.head < records.length) this.#ring.append(records[this.#ring.head]!)
  }
}

async function turn(): Promise<void> {
  await new Promise(setImmediate)
}
