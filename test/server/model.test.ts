import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createEmitter, memoryLog, type Emitter, type EmitterOptions, type MemoryLog, type OutgoingEvent } from 'eventwire/server'
import { createDecoder, type Gap } from 'eventwire/wire'
import { market, type Market } from '../support/market.ts'
import { seeded } from '../support/random.ts'

/**
 * Clients that read, pause, leave and come back at random, while events are emitted and the log is small, against a model of
 * what each may expect: every event of its topics in order and once, or a gap that says that it is lost.
 */

const TOPICS = ['A', 'B', undefined] as const
const BEAT = 10

/** What was emitted, by epoch; the `seq` of an event is its place, from 1. */
type Emitted = Map<string, { readonly topic: string | undefined; readonly key: string | undefined }[]>

interface World {
  readonly random: () => number
  readonly emitter: Emitter<Market>
  readonly log: MemoryLog
  readonly emitted: Emitted
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }))
afterEach(() => void vi.useRealTimers())

/** Long enough for what was emitted to be written, and what was written to be read. */
async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise(setImmediate)
}

class Client {
  epoch = ''
  seq = 0
  /** The first thing that should not have been. */
  failure: unknown
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  #reading = false
  /** The first cursor of a client that is new, or of one that has heard a gap, may lie anywhere. */
  #lost = true
  /** From here on, what a newer event replaces may be left out. */
  #superseded = Infinity
  /** Where the log stood when the snapshot was made that is being sent. */
  #snapshot: { readonly epoch: string; readonly head: number } | undefined

  constructor(
    readonly world: World,
    readonly topics: '*' | string[],
  ) {}

  /** Asks for what comes next, unless that is still awaited. */
  async read(): Promise<void> {
    if (this.#reading) return
    this.#reading = true
    const reader = (this.#reader ??= await this.#connect())
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }))
    this.#reading = false
    if (reader !== this.#reader) return
    if (done) this.#reader = undefined
    else this.#take(value!)
  }

  #take(chunk: Uint8Array): void {
    try {
      this.#decoder.push(chunk)
    } catch (error) {
      this.failure ??= error
    }
  }

  leave(): void {
    // It rejects when the stream was cut.
    this.#reader?.cancel().catch(() => {})
    this.#reader = undefined
    this.#reading = false
  }

  /** Nothing of what was emitted is missing. */
  check(): void {
    if (this.failure) throw this.failure
    const { epoch } = this.world.log
    if (this.epoch !== '') expect(this.epoch).toBe(epoch)
    this.#expectNothingMissing(this.#count(epoch) + 1)
  }

  #decoder = createDecoder({ onMessage: () => {} })

  async #connect(): Promise<ReadableStreamDefaultReader<Uint8Array>> {
    const headers = this.epoch === '' ? {} : { 'last-event-id': `${this.epoch}-${this.seq}` }
    const response = await this.world.emitter.handle(new Request('http://localhost/', { headers }), { topics: this.topics })
    this.#superseded = Infinity
    this.#snapshot = undefined
    this.#decoder = createDecoder({
      lastEventId: this.epoch === '' ? '' : `${this.epoch}-${this.seq}`,
      onCursor: (id) => this.#checkpoint(id),
      onMessage: ({ event, data, id }) => {
        if (event === '$gap') this.#gap(JSON.parse(data) as Gap)
        else if (event === 'message') this.#snapshot ??= JSON.parse(data) as { epoch: string; head: number }
        else if (event === 'price') this.#event(id)
      },
    })
    return response.body!.getReader()
  }

  #gap({ reason, requested }: Gap): void {
    const [epoch, seq] = parse(requested)
    if (!this.#lost) {
      expect(epoch).toBe(this.epoch)
      // What is not for this client may lie between what it has heard last and what is lost.
      this.#expectNothingMissing(seq + 1)
    }
    if (reason === 'superseded') {
      this.#superseded = this.seq
      return
    }
    this.#lost = true
    // Another follows.
    this.#snapshot = undefined
  }

  #checkpoint(id: string): void {
    const [epoch, seq] = parse(id)
    if (!this.#lost) {
      expect(epoch).toBe(this.epoch)
      this.#expectNothingMissing(seq + 1)
    }
    // What came before the checkpoint is in the snapshot.
    if (this.#snapshot) expect([this.#snapshot.epoch, this.#snapshot.head >= seq]).toEqual([epoch, true])
    this.#snapshot = undefined
    this.#move(epoch, seq)
  }

  #event(id: string): void {
    const [epoch, seq] = parse(id)
    expect([epoch, this.#lost]).toEqual([this.epoch, false])
    expect(seq).toBeGreaterThan(this.seq)
    expect(this.#hears(this.world.emitted.get(epoch)![seq - 1]!.topic)).toBe(true)
    this.#expectNothingMissing(seq)
    this.#move(epoch, seq)
  }

  #move(epoch: string, seq: number): void {
    this.epoch = epoch
    this.seq = seq
    this.#lost = false
  }

  #expectNothingMissing(before: number): void {
    const events = this.world.emitted.get(this.epoch) ?? []
    for (let seq = this.seq + 1; seq < before; seq++) {
      const { topic, key } = events[seq - 1]!
      if (!this.#hears(topic)) continue
      const replaced =
        key !== undefined && seq > this.#superseded && events.some((it, i) => i >= seq && it.key === key && it.topic === topic)
      expect(replaced, `${this.epoch}-${seq} was lost in silence`).toBe(true)
    }
  }

  #hears(topic: string | undefined): boolean {
    return topic === undefined || this.topics === '*' || this.topics.includes(topic)
  }

  #count(epoch: string): number {
    return this.world.emitted.get(epoch)?.length ?? 0
  }
}

function parse(id: string): [epoch: string, seq: number] {
  const [epoch = '', seq] = id.split('-')
  return [epoch, Number(seq)]
}

const POLICIES: readonly [string, EmitterOptions<Market>['slowConsumer']][] = [
  ['gap', 'gap'],
  ['disconnect', 'disconnect'],
  ['latest', { latest: (emitted) => (emitted.event === 'price' ? emitted.data.symbol || undefined : undefined) }],
]

for (const [policy, slowConsumer] of POLICIES) {
  test.each([false, true])(
    `${policy}: whatever happens, nothing is lost, repeated or reordered in silence; with snapshot: %s`,
    async (withSnapshot) => {
      for (let seed = 1; seed <= 60; seed++) await live(seed, slowConsumer, withSnapshot)
    },
  )
}

/** One run of the world, the same for the same seed. */
async function live(seed: number, slowConsumer: EmitterOptions<Market>['slowConsumer'], withSnapshot: boolean): Promise<void> {
  const random = seeded(seed)
  const emitted: Emitted = new Map()
  const log = memoryLog({ events: 8 + Math.floor(random() * 30) })
  const snapshot = async function* (): AsyncGenerator<OutgoingEvent<Market>> {
    const parts = 1 + Math.floor(random() * 3)
    const data = JSON.stringify({ epoch: log.epoch, head: log.head })
    for (let i = 0; i < parts; i++) {
      yield { event: 'message', data }
      if (random() < 0.3) await new Promise(setImmediate)
    }
  }
  const emitter = createEmitter(market, {
    log,
    slowConsumer,
    heartbeat: BEAT,
    stallTimeout: 1e9,
    highWaterMark: 1 + Math.floor(random() ** 3 * 20_000),
    snapshot: withSnapshot ? snapshot : undefined,
  })
  const world: World = { random, emitter, log, emitted }
  const clients = [['A'], ['A', 'B'], [], '*' as const, ['B']].map((topics) => new Client(world, topics))
  const some = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!

  const emit = (): void => {
    const topic = some(TOPICS)
    const key = some(['x', 'y', ''])
    if (!emitted.has(log.epoch)) emitted.set(log.epoch, [])
    emitted.get(log.epoch)!.push({ topic, key: key || undefined })
    const data = { symbol: key, usd: Number('9'.repeat(1 + Math.floor(random() * 300))) }
    void emitter.emit('price', data, topic === undefined ? undefined : { topic })
  }

  for (let step = 0; step < 150; step++) {
    const choice = random()
    if (choice < 0.45) for (let i = random() * 6; i > 0; i--) emit()
    else if (choice < 0.8) for (let i = random() * 8; i > 0; i--) void some(clients).read()
    else if (choice < 0.9) vi.advanceTimersByTime(BEAT)
    else if (choice < 0.97) some(clients).leave()
    else if (choice < 0.98) log.clear()
    else await settle()
    if (random() < 0.5) await new Promise(setImmediate)
  }
  // All read on, to the end.
  for (let i = 0; i < 120; i++) {
    for (const client of clients) void client.read()
    if (i % 10 === 0) vi.advanceTimersByTime(BEAT)
    await new Promise(setImmediate)
  }
  await settle()
  for (const client of clients) client.check()
  const closed = emitter.close()
  for (const client of clients) client.leave()
  await closed
}
