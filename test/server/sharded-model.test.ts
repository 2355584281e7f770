import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  createEmitter,
  memoryLog,
  type Emitter,
  type EmitterOptions,
  type Log,
  type LogListener,
  type MemoryLog,
  type OutgoingEvent,
  type Topics,
} from 'eventwire/server'
import type { DecodedMessage, Gap } from 'eventwire/wire'
import { market, type Market } from '../support/market.ts'
import { Puller, settle, type PullerListener } from '../support/puller.ts'
import { seeded } from '../support/random.ts'
import { placesOf, shardsOf, SHARD_OF, sharded, type Place } from '../support/shards.ts'

/**
 * The same as for one log: clients that read, pause, leave and come back at random, while events are emitted over three small logs, against a
 * model of what each may expect of each shard: every event of its topics, in order and once, or a gap that says that it is lost.
 */

const TOPICS = ['A', 'B', 'C', 'D', undefined] as const
const BEAT = 10

interface Emitted {
  readonly data: string
  readonly topic: string | undefined
  readonly key: string | undefined
}

interface World {
  readonly random: () => number
  readonly emitter: Emitter<Market>
  readonly logs: readonly MemoryLog[]
  /** By epoch; the `seq` of an event is its place, from 1. */
  readonly emitted: Map<string, Emitted[]>
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }))
afterEach(() => void vi.useRealTimers())

class Client implements PullerListener {
  readonly puller: Puller
  gaps = 0
  readonly #lanes: readonly number[]
  #places = new Map<number, Place>()
  lastEventId: string | undefined
  /** The shards whose next place may lie anywhere, for a gap at the beginning, or that it is new, has said so. */
  #lost = new Set<number>()
  /** Gaps in midstream, each of one shard. */
  #jumps = 0
  #begun = false
  #superseded = false
  #snapshot: readonly Place[] | undefined

  constructor(
    readonly world: World,
    readonly topics: Topics,
  ) {
    this.#lanes = shardsOf(topics, world.logs.length)
    this.puller = new Puller(world.emitter, topics, this)
  }

  check(): void {
    if (this.puller.failure) throw this.puller.failure
    expect([...this.#places]).toEqual(this.#lanes.map((shard) => [shard, placeOf(this.world.logs[shard]!)]))
  }

  connected(): void {
    this.#begun = false
  }

  reads(): void {
    if (!this.#begun) this.#begin()
  }

  onCursor(id: string): void {
    this.#moves(id, -1)
  }

  onMessage({ event, data, id }: DecodedMessage): void {
    if (event === '$gap') this.#gap(JSON.parse(data) as Gap)
    else if (event === 'message') this.#snapshot ??= JSON.parse(data) as Place[]
    else if (event === 'halted') this.#event(id, data)
  }

  #begin(): void {
    this.#begun = true
    this.#superseded = false
    this.#snapshot = undefined
    this.#jumps = 0
    this.#lost = new Set(this.#lanes.filter((shard) => !this.#isHeld(shard)))
  }

  #isHeld(shard: number): boolean {
    const place = this.#places.get(shard)
    const { epoch, oldest } = this.world.logs[shard]!
    return place !== undefined && place.epoch === epoch && place.seq >= oldest - 1
  }

  #gap({ reason, requested }: Gap): void {
    this.gaps++
    this.#snapshot = undefined
    // Said at the beginning, of what was found to be lost then.
    if (this.#lost.size > 0 && requested === this.lastEventId) return
    // What is not for this client may lie between what it has heard last and what is lost.
    this.#continues(placesOf(requested))
    if (reason === 'superseded') this.#superseded = true
    else this.#jumps++
  }

  #event(id: string, data: string): void {
    const [shard] = (JSON.parse(data) as { reason: string }).reason
    this.#moves(id, Number(shard), data)
  }

  /** It is told of a place in each of its shards: behind an event in one of them, or none. */
  #moves(id: string, own: number, data?: string): void {
    const places = placesOf(id)
    expect([...places.keys()]).toEqual(this.#lanes)
    if (own >= 0) {
      const { epoch, seq } = places.get(own)!
      const event = this.world.emitted.get(epoch)![seq - 1]!
      expect([this.#hears(event), data === event.data, this.#jumps, this.#lost.size]).toEqual([true, true, 0, 0])
      expect(seq).toBeGreaterThan(this.#places.get(own)!.seq)
    }
    this.#continues(places, own)
    for (const [shard, place] of places) {
      const taken = this.#snapshot?.[shard]
      // What came before the checkpoint is in the snapshot, or is told again.
      if (taken?.epoch === place.epoch) expect(taken.seq).toBeGreaterThanOrEqual(place.seq)
    }
    this.#snapshot = undefined
    this.#lost.clear()
    this.#jumps = 0
    this.#places = new Map(places)
    this.lastEventId = id
  }

  /** Each shard goes on where it was: all but those of which a gap has told. */
  #continues(places: ReadonlyMap<number, Place>, own = -1): void {
    const gone = [...places].filter(([shard, place]) => {
      const before = this.#places.get(shard)
      if (this.#lost.has(shard)) return false
      return before?.epoch !== place.epoch || place.seq < before.seq || this.#missing(before, place.seq - Number(shard === own))
    })
    expect(gone.length, `in silence, from ${this.lastEventId} to ${JSON.stringify([...places])}`).toBeLessThanOrEqual(this.#jumps)
  }

  /** Whether it was to hear something behind a place up to another. */
  #missing({ epoch, seq }: Place, to: number): boolean {
    const events = this.world.emitted.get(epoch) ?? []
    return events.slice(seq, to).some((event, i) => this.#hears(event) && !this.#isReplaced(event, events.slice(seq + i + 1)))
  }

  #isReplaced({ key, topic }: Emitted, later: readonly Emitted[]): boolean {
    return this.#superseded && key !== undefined && later.some((it) => it.key === key && it.topic === topic)
  }

  #hears({ topic }: Emitted): boolean {
    return topic === undefined || this.topics === '*' || this.topics.includes(topic)
  }
}

function placeOf({ epoch, head }: MemoryLog): Place {
  return { epoch, seq: head }
}

const POLICIES: readonly [string, EmitterOptions<Market>['slowConsumer']][] = [
  ['gap', 'gap'],
  ['disconnect', 'disconnect'],
  ['latest', { latest: (emitted) => (emitted.event === 'halted' ? emitted.data.symbol || undefined : undefined) }],
]

for (const [policy, slowConsumer] of POLICIES) {
  test.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])(
    `${policy}: whatever happens, nothing of any shard is lost, repeated or reordered in silence; with snapshot: %s, with most of the log elsewhere: %s`,
    async (withSnapshot, elsewhere) => {
      let gaps = 0
      for (let seed = 1; seed <= 40; seed++) gaps += await live(seed, slowConsumer, withSnapshot, elsewhere)
      expect(gaps).toBeGreaterThan(0)
    },
  )
}

/** One run of the world, the same for the same seed. Gives how many gaps there were. */
async function live(
  seed: number,
  slowConsumer: EmitterOptions<Market>['slowConsumer'],
  withSnapshot: boolean,
  elsewhere: boolean,
): Promise<number> {
  const random = seeded(seed)
  const some = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!
  const emitted: World['emitted'] = new Map()
  const logs = [0, 1, 2].map(() => memoryLog({ events: 8 + Math.floor(random() * 30) }))
  const snapshot = async function* (): AsyncGenerator<OutgoingEvent<Market>> {
    const parts = 1 + Math.floor(random() * 3)
    const data = JSON.stringify(logs.map(placeOf))
    for (let i = 0; i < parts; i++) {
      yield { event: 'message', data }
      if (random() < 0.3) await new Promise(setImmediate)
    }
  }
  const emitter = createEmitter(market, {
    log: sharded(elsewhere ? logs.map((log) => keptElsewhere(log, random)) : logs),
    slowConsumer,
    heartbeat: BEAT,
    stallTimeout: 1e9,
    highWaterMark: 1 + Math.floor(random() ** 3 * 20_000),
    snapshot: withSnapshot ? snapshot : undefined,
  })
  const world: World = { random, emitter, logs, emitted }
  const clients = [['A'], ['B'], ['A', 'C'], [], '*' as const, '*' as const, ['B', 'C', 'D'], ['B', 'C', 'D']].map(
    (topics) => new Client(world, topics),
  )

  const emit = (): void => {
    const topic = some(TOPICS)
    const key = some(['x', 'y', ''])
    const shard = SHARD_OF(topic)
    const { epoch } = logs[shard]!
    if (!emitted.has(epoch)) emitted.set(epoch, [])
    const data = { symbol: key, reason: `${shard}${'9'.repeat(1 + Math.floor(random() * 300))}` }
    emitted.get(epoch)!.push({ topic, key: key || undefined, data: JSON.stringify(data) })
    void emitter.emit('halted', data, topic === undefined ? undefined : { topic })
  }

  for (let step = 0; step < 150; step++) {
    const choice = random()
    if (choice < 0.45) for (let i = random() * 6; i > 0; i--) emit()
    else if (choice < 0.8) for (let i = random() * 8; i > 0; i--) void some(clients).puller.read()
    else if (choice < 0.9) vi.advanceTimersByTime(BEAT)
    else if (choice < 0.97) some(clients).puller.leave()
    else if (choice < 0.98) some(logs).clear()
    else await settle()
    if (random() < 0.5) await new Promise(setImmediate)
  }
  // All read on, to the end.
  for (let i = 0; i < 160; i++) {
    for (const client of clients) void client.puller.read()
    if (i % 10 === 0) vi.advanceTimersByTime(BEAT)
    await new Promise(setImmediate)
  }
  vi.advanceTimersByTime(BEAT)
  await settle()
  for (const client of clients) {
    if (client.puller.failure) throw new Error(`seed ${seed}, topics ${JSON.stringify(client.topics)}`, { cause: client.puller.failure })
    client.check()
  }
  const closed = emitter.close()
  for (const client of clients) client.puller.leave()
  await closed
  expect(emitter.stats()).toMatchObject({ connections: 0, topics: {}, everyTopic: 0 })
  return clients.reduce((sum, { gaps }) => sum + gaps, 0)
}

/** A log of which only the newest events are in memory: for others one has to wait. */
function keptElsewhere(log: MemoryLog, random: () => number): Log {
  let owner: LogListener | undefined
  const held = (): number => Math.max(log.oldest, Math.min(log.head - 2, (owner?.handed ?? Infinity) + 1))
  return {
    get epoch() {
      return log.epoch
    },
    get head() {
      return log.head
    },
    get oldest() {
      return log.oldest
    },
    get held() {
      return held()
    },
    get bytes() {
      return log.bytes
    },
    append: (record) => log.append(record),
    count: (after, topics) => log.count(Math.max(after, held() - 1), topics),
    read: (range, topics) => log.read({ ...range, after: Math.max(range.after, held() - 1) }, topics),
    pick: (seqs, bytes) => log.pick(seqs, bytes),
    listen(listener) {
      owner = listener
      return log.listen(listener)
    },
    async fetch(after, topics) {
      const { epoch } = log
      for (let i = random() * 4; i > 0; i--) await new Promise(setImmediate)
      if (log.epoch !== epoch || after < log.oldest - 1) return undefined
      const to = held() - 1
      const page = log.read({ after, to, bytes: 1_000 }, topics)
      return page ?? { bytes: new Uint8Array(), last: to, incomplete: false, lastLeftOut: true }
    },
  }
}

test('a stream shows that it lives once a heartbeat, however many shards it listens to', async () => {
  const emitter = createEmitter(market, { log: sharded([memoryLog(), memoryLog(), memoryLog()]), heartbeat: BEAT })
  const response = await emitter.handle(new Request('http://localhost/'), { topics: '*' })
  const reader = response.body!.getReader()
  let text = ''
  const read = async (): Promise<void> => {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) text += new TextDecoder().decode(chunk.value)
  }
  const done = read()
  await settle()
  text = ''
  for (let i = 0; i < 3; i++) vi.advanceTimersByTime(BEAT)
  await settle()
  expect(text).toBe(':\n\n'.repeat(3))
  await emitter.close()
  await done
})
