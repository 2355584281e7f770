import { afterEach, beforeEach, test, vi } from 'vitest'
import { createEmitter, memoryLog, type Emitter, type EmitterOptions, type MemoryLog, type OutgoingEvent } from 'eventwire/server'
import type { Gap } from 'eventwire/wire'
import { Expectation, type Emitted } from '../support/expectation.ts'
import { market, type Market } from '../support/market.ts'
import { Puller, settle } from '../support/puller.ts'
import { seeded } from '../support/random.ts'

/**
 * Clients that read, pause, leave and come back at random, while events are emitted and the log is small, against a model of
 * what each may expect: every event of its topics in order and once, or a gap that says that it is lost.
 */

const TOPICS = ['A', 'B', undefined] as const
const BEAT = 10

interface World {
  readonly random: () => number
  readonly emitter: Emitter<Market>
  readonly log: MemoryLog
  readonly emitted: Map<string, Emitted[]>
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }))
afterEach(() => void vi.useRealTimers())

/** A client that resumes, and knows what it may expect. */
class Client {
  readonly puller: Puller
  readonly #world: World
  readonly #expected: Expectation

  constructor(world: World, topics: '*' | string[]) {
    const expected = new Expectation(world.emitted, topics)
    this.puller = new Puller(world.emitter, topics, {
      get lastEventId() {
        return expected.lastEventId
      },
      connected: () => expected.connects(),
      onCursor: (id) => expected.checkpoint(id),
      onMessage: ({ event, data, id }) => {
        if (event === '$gap') expected.gap(JSON.parse(data) as Gap)
        else if (event === 'message') expected.snapshot(JSON.parse(data) as { epoch: string; head: number })
        else if (event === 'price') expected.event(id, data)
      },
    })
    this.#world = world
    this.#expected = expected
  }

  /** Nothing of what was emitted is missing. */
  check(): void {
    if (this.puller.failure) throw this.puller.failure
    this.#expected.complete(this.#world.log)
  }
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
  const emitted: World['emitted'] = new Map()
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
  const clients = [['A'], ['A'], ['A', 'B'], [], '*' as const, '*' as const, ['B']].map((topics) => new Client(world, topics))
  const some = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!

  const emit = (): void => {
    const topic = some(TOPICS)
    const key = some(['x', 'y', ''])
    if (!emitted.has(log.epoch)) emitted.set(log.epoch, [])
    const data = { symbol: key, usd: Number('9'.repeat(1 + Math.floor(random() * 300))) }
    emitted.get(log.epoch)!.push({ topic, key: key || undefined, data: JSON.stringify(data) })
    void emitter.emit('price', data, topic === undefined ? undefined : { topic })
  }

  for (let step = 0; step < 150; step++) {
    const choice = random()
    if (choice < 0.45) for (let i = random() * 6; i > 0; i--) emit()
    else if (choice < 0.8) for (let i = random() * 8; i > 0; i--) void some(clients).puller.read()
    else if (choice < 0.9) vi.advanceTimersByTime(BEAT)
    else if (choice < 0.97) some(clients).puller.leave()
    else if (choice < 0.98) log.clear()
    else await settle()
    if (random() < 0.5) await new Promise(setImmediate)
  }
  // All read on, to the end.
  for (let i = 0; i < 120; i++) {
    for (const client of clients) void client.puller.read()
    if (i % 10 === 0) vi.advanceTimersByTime(BEAT)
    await new Promise(setImmediate)
  }
  vi.advanceTimersByTime(BEAT)
  await settle()
  for (const client of clients) client.check()
  const closed = emitter.close()
  for (const client of clients) client.puller.leave()
  await closed
}
