import { expect } from 'vitest'
import type { Topics } from 'eventwire/server'
import type { Gap } from 'eventwire/wire'

/** An event as the model of a log keeps it. */
export interface Emitted {
  readonly data: string
  readonly topic: string | undefined
  /** A newer event of the same key and topic replaces it; `undefined` is never replaced. */
  readonly key: string | undefined
}

interface Place {
  readonly epoch: string
  readonly seq: number
}

/** What a client may expect: every event of its topics in order and once, or a gap that says what is lost. */
export class Expectation {
  /** What it would come back with; `undefined` as long as it has none. */
  cursor: Place | undefined
  /** Its next cursor may lie anywhere: it is new, or a gap has said so. */
  #lost = true
  /** From here on, what a newer event replaces may be left out. */
  #superseded = Infinity
  /** Where the log stood when the snapshot was made that is being sent. */
  #snapshot: { readonly epoch: string; readonly head: number } | undefined

  constructor(
    /** What was emitted, by epoch; the `seq` of an event is its place, from 1. */
    readonly emitted: ReadonlyMap<string, readonly Emitted[]>,
    readonly topics: Topics,
  ) {}

  get lastEventId(): string | undefined {
    return this.cursor && `${this.cursor.epoch}-${this.cursor.seq}`
  }

  /** It connects: with its cursor, if it has one. */
  connects(): void {
    this.#lost = this.cursor === undefined
    this.#superseded = Infinity
    this.#snapshot = undefined
  }

  /** The state of things comes, as it was when the log stood at `head`. */
  snapshot(taken: { readonly epoch: string; readonly head: number }): void {
    this.#snapshot ??= taken
  }

  gap({ reason, requested }: Gap): void {
    // What is not for this client may lie between what it has heard last and what is lost.
    if (!this.#lost) this.#continues(parse(requested))
    this.#snapshot = undefined
    this.#superseded = reason === 'superseded' ? this.cursor!.seq : Infinity
    if (reason !== 'superseded') this.#lost = true
  }

  checkpoint(id: string): void {
    const place = parse(id)
    if (!this.#lost) this.#continues(place)
    // What came before the checkpoint is in the snapshot.
    if (this.#snapshot) expect([this.#snapshot.epoch, this.#snapshot.head >= place.seq]).toEqual([place.epoch, true])
    this.#snapshot = undefined
    this.#lost = false
    this.cursor = place
  }

  event(id: string, data: string): void {
    const place = parse(id)
    expect([place.epoch, this.#lost]).toEqual([this.cursor!.epoch, false])
    expect(place.seq).toBeGreaterThan(this.cursor!.seq)
    const event = this.emitted.get(place.epoch)![place.seq - 1]!
    expect(this.#hears(event)).toBe(true)
    expect(data === event.data, `${id} came out as another`).toBe(true)
    this.#expectNothingMissing(place.seq)
    this.cursor = place
  }

  /** Nothing is missing up to the head of the log, and after a heartbeat it knows so. */
  complete({ epoch, head }: { readonly epoch: string; readonly head: number }): void {
    expect(this.cursor).toEqual({ epoch, seq: head })
  }

  #continues({ epoch, seq }: Place): void {
    expect(epoch).toBe(this.cursor!.epoch)
    this.#expectNothingMissing(seq + 1)
  }

  #expectNothingMissing(before: number): void {
    const { epoch, seq: last } = this.cursor!
    const events = this.emitted.get(epoch) ?? []
    for (let seq = last + 1; seq < before; seq++) {
      const { topic, key } = events[seq - 1]!
      if (!this.#hears({ topic })) continue
      const replaced = key !== undefined && seq > this.#superseded && events.slice(seq).some((it) => it.key === key && it.topic === topic)
      expect(replaced, `${epoch}-${seq} was lost in silence`).toBe(true)
    }
  }

  #hears({ topic }: Pick<Emitted, 'topic'>): boolean {
    return topic === undefined || this.topics === '*' || this.topics.includes(topic)
  }
}

function parse(id: string): Place {
  const [epoch = '', seq] = id.split('-')
  return { epoch, seq: Number(seq) }
}
