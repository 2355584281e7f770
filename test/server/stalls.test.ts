import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import {
  createEmitter,
  memoryLog,
  type Connection,
  type Emitter,
  type EmitterOptions,
  type MemoryLog,
  type NodeRequest,
  type NodeResponse,
  type OutgoingEvent,
} from 'eventwire/server'
import { createDecoder, type Decoder, type Gap } from 'eventwire/wire'
import { market, type Market } from '../support/market.ts'
import { Expectation, type Emitted } from '../support/expectation.ts'
import { seeded } from '../support/random.ts'

/**
 * The promise against a transport that fills up and drains at random, in the midst of events of many slices, while the
 * application sends to single clients, snapshots are drawn, the log is small and is cleared, and clients are cut and come
 * back. What each is sent is read byte by byte, as a client would, and compared to what was emitted.
 */

const BEAT = 10
const TOPICS = ['A', 'B', undefined] as const

interface World {
  /** At the end all read on, and nothing fills up any more. */
  calm: boolean
  /** How likely a write fills the transport. */
  readonly fullness: number
  readonly random: () => number
  readonly emitter: Emitter<Market>
  readonly log: MemoryLog
  /** By epoch; the `seq` of an event is its place, from 1. */
  readonly emitted: Map<string, Emitted[]>
  readonly connections: Map<NodeRequest, Connection<Market>>
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }))
afterEach(() => void vi.useRealTimers())

/** A response of node that says that it is full when `full` says so, and drains when it is told to. */
class Response implements NodeResponse {
  readonly socket = {}
  destroyed = false
  writableLength = 0
  #ended = false
  readonly #listeners = new Map<string, (() => void)[]>()

  constructor(
    readonly full: () => boolean,
    readonly onBytes: (bytes: Uint8Array) => void,
  ) {}

  writeHead(): void {}

  write(bytes: Uint8Array): boolean {
    expect([this.#ended, this.destroyed]).toEqual([false, false])
    // No writes while it is full: that would be a queue for a client that does not read.
    expect(this.writableLength).toBe(0)
    this.onBytes(bytes)
    if (!this.full()) return true
    this.writableLength = bytes.byteLength
    return false
  }

  drain(): void {
    if (this.destroyed || this.writableLength === 0) return
    this.writableLength = 0
    if (this.#ended) this.destroy()
    else this.#tell('drain')
  }

  end(): void {
    expect(this.#ended).toBe(false)
    this.#ended = true
    if (this.writableLength === 0) queueMicrotask(() => this.destroy())
  }

  destroy(): void {
    if (this.destroyed) return
    this.destroyed = true
    this.#tell('close')
  }

  on(event: string, listener: () => void): void {
    this.#listeners.set(event, [...(this.#listeners.get(event) ?? []), listener])
  }

  off(event: string, listener: () => void): void {
    this.#listeners.set(event, this.#listeners.get(event)?.filter((it) => it !== listener) ?? [])
  }

  #tell(event: string): void {
    for (const listener of this.#listeners.get(event) ?? []) listener()
  }
}

/** A client that resumes, and knows what it may expect. */
class Client {
  readonly expected: Expectation
  response: Response | undefined
  /** The first thing that should not have been. */
  failure: unknown
  /** Sent to it alone on this connection, and come. */
  #promised = 0
  #come = 0
  request: NodeRequest = undefined as never
  #decoder: Decoder | undefined

  constructor(
    readonly world: World,
    readonly topics: '*' | string[],
  ) {
    this.expected = new Expectation(world.emitted, topics)
  }

  connect(begun: (request: NodeRequest) => void): void {
    if (this.response && !this.response.destroyed) return
    const { expected, world } = this
    const id = expected.lastEventId
    const nothing = (): void => {}
    this.request = {
      method: 'GET',
      url: '/',
      headers: id === undefined ? {} : { 'last-event-id': id },
      on: nothing,
      pause: nothing,
      resume: nothing,
    }
    this.#promised = this.#come = 0
    expected.connects()
    this.#decoder = createDecoder({
      lastEventId: id,
      onCursor: (moved) => expected.checkpoint(moved),
      onMessage: ({ event, data, id: moved }) => {
        if (event === '$ready') this.#ready(JSON.parse(data) as { resumed: boolean; epoch: string })
        else if (event === '$gap') expected.gap(JSON.parse(data) as Gap)
        else if (event === 'halted') this.#told(JSON.parse(data) as { symbol: string; reason: string })
        else if (event === 'message') expected.event(moved, data)
      },
    })
    this.response = new Response(
      () => !world.calm && world.random() < world.fullness,
      (bytes) => this.#take(bytes),
    )
    begun(this.request)
    world.emitter.handleNode(this.request, this.response, { topics: this.topics })
  }

  /** Sends to this client alone. What is promised has to come. */
  async send(reason: string): Promise<void> {
    const { request, world } = this
    const sent = await world.connections.get(request)?.send('halted', { symbol: 'private', reason })
    if (sent && request === this.request) this.#promised++
  }

  /** Cut; or its page was closed, and the next one knows nothing. */
  leave(forget: boolean): void {
    this.response?.destroy()
    if (forget) this.expected.cursor = undefined
  }

  /** Nothing of what was emitted is missing. */
  check(): void {
    if (this.failure) throw this.failure
    this.expected.complete(this.world.log)
    expect(this.#come).toBe(this.#promised)
  }

  #take(bytes: Uint8Array): void {
    try {
      this.#decoder!.push(bytes)
    } catch (error) {
      this.failure ??= error
    }
  }

  #ready({ resumed }: { resumed: boolean }): void {
    // Until a gap has come, it holds what it has.
    expect(resumed && this.expected.cursor === undefined).toBe(false)
  }

  #told({ symbol, reason }: { symbol: string; reason: string }): void {
    if (symbol === 'state') this.expected.snapshot(JSON.parse(reason) as { epoch: string; head: number })
    // Text of one letter and its length: what was cut shows.
    else expect(reason).toBe(filler(reason.length))
    if (symbol === 'private') this.#come++
  }
}

/** What replaces what: the first letter of the text, unless it is a dash. */
function keyOf(data: string): string | undefined {
  return data.startsWith('-') ? undefined : data[0]
}

function filler(length: number): string {
  return 'p'.repeat(length)
}

const POLICIES: readonly [string, EmitterOptions<Market>['slowConsumer']][] = [
  ['gap', 'gap'],
  ['disconnect', 'disconnect'],
  ['latest', { latest: (emitted) => (emitted.event === 'message' ? keyOf(emitted.data) : undefined) }],
]

for (const [policy, slowConsumer] of POLICIES) {
  test.each([false, true])(
    `${policy}: over transports that stall in the midst of events, no byte is lost in silence; with snapshot: %s`,
    async (withSnapshot) => {
      for (let seed = 1; seed <= SEEDS; seed++) {
        try {
          await live(seed, slowConsumer, withSnapshot)
        } catch (error) {
          throw new Error(`seed ${seed}`, { cause: error })
        }
      }
    },
  )
}

const SEEDS = Number(process.env['SEEDS'] ?? 25)

async function live(seed: number, slowConsumer: EmitterOptions<Market>['slowConsumer'], withSnapshot: boolean): Promise<void> {
  const random = seeded(seed)
  const below = (limit: number): number => Math.floor(random() * limit)
  const some = <T>(items: readonly T[]): T => items[below(items.length)]!
  const emitted: World['emitted'] = new Map()
  const connections: World['connections'] = new Map()
  const log = memoryLog({ events: 4 + below(30), bytes: random() < 0.3 ? 300_000 : 1 << 24 })
  // Now and then more than two slices.
  const size = (): number => (random() < 0.15 ? 60_000 + below(100_000) : below(300))
  const requests: NodeRequest[] = []

  async function* snapshot(): AsyncGenerator<OutgoingEvent<Market>> {
    const reason = JSON.stringify({ epoch: log.epoch, head: log.head })
    yield { event: 'halted', data: { symbol: 'state', reason } }
    for (let parts = below(3); parts > 0; parts--) {
      if (random() < 0.5) await new Promise(setImmediate)
      yield { event: 'halted', data: { symbol: 'rest', reason: filler(size()) } }
    }
    for (let turns = below(8); turns > 0; turns--) await new Promise(setImmediate)
  }

  const failures: unknown[] = []
  const emitter = createEmitter(market, {
    log,
    slowConsumer,
    heartbeat: BEAT,
    stallTimeout: 1e9,
    highWaterMark: 1,
    snapshot: withSnapshot ? snapshot : undefined,
    onConnect: (connection) => {
      connections.set(requests.shift()!, connection)
    },
    onError: (error) => failures.push(error),
  })
  const world: World = { calm: false, fullness: 0.1 + random() / 2, random, emitter, log, emitted, connections }
  const clients = [['A'], ['A'], ['A', 'B'], [], '*' as const, '*' as const].map((topics) => new Client(world, topics))

  const emit = (): void => {
    const data = some(['x', 'y', '-']) + 'e'.repeat(size())
    const event: Emitted = { data, key: keyOf(data), topic: some(TOPICS) }
    if (!emitted.has(log.epoch)) emitted.set(log.epoch, [])
    emitted.get(log.epoch)!.push(event)
    void emitter.emit('message', event.data, event.topic === undefined ? undefined : { topic: event.topic })
  }
  const connect = async (client: Client): Promise<void> => {
    if (client.response && !client.response.destroyed) return
    client.connect((request) => requests.push(request))
    for (let i = 0; i < 20; i++) await Promise.resolve()
    requests.length = 0
  }

  for (let step = 0; step < 200; step++) {
    const choice = random()
    if (choice < 0.3) for (let i = below(5); i >= 0; i--) emit()
    else if (choice < 0.6) for (let i = below(8); i > 0; i--) some(clients).response?.drain()
    else if (choice < 0.67) await connect(some(clients))
    else if (choice < 0.87) void some(clients).send(filler(size()))
    else if (choice < 0.93) vi.advanceTimersByTime(BEAT)
    else if (choice < 0.97) some(clients).leave(random() < 0.5)
    else if (choice < 0.98) log.clear()
    for (let i = below(6); i > 0; i--) await Promise.resolve()
    if (random() < 0.4) await new Promise(setImmediate)
  }
  // All come back and read on, to the end.
  world.calm = true
  for (let i = 0; i < 20; i++) {
    for (const client of clients) {
      await connect(client)
      client.response!.drain()
    }
    await new Promise(setImmediate)
  }
  vi.advanceTimersByTime(BEAT)
  for (const client of clients) client.check()
  expect(failures).toEqual([])
  const closed = emitter.close()
  for (const { response } of clients) response?.destroy()
  await closed
  expect(emitter.stats()).toMatchObject({ connections: 0 })
}
