import { getEventListeners } from 'node:events'
import type { Server } from 'node:http'
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createEmitter, streamEvents, type EmitterOptions } from 'eventwire/server'
import { heap } from '../support/heap.ts'
import { market, type Market } from '../support/market.ts'
import { serve } from '../support/serve.ts'
import { seeded } from '../support/random.ts'

const CLIENTS = 1_000
/** How many are there at the same time. */
const AT_ONCE = 25
/** Set it to the number that a failure has printed. */
const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 32))
const BLOCK = 'x'.repeat(20_000)

/** Where a client gives up. */
const POINTS = ['before the head', 'in mid-head', 'while connect decides', 'in mid-snapshot', 'in mid-replay', 'live', 'stalled'] as const
type Point = (typeof POINTS)[number]

const WAYS = ['destroy', 'resetAndDestroy', 'end'] as const

/** A client as the hooks of the server know it, by the number in its address. */
interface Client {
  readonly point: Point
  /** Leaves. Resolves when its socket, or its body, is gone. */
  leave(): Promise<void>
  /** Resolves when it has left. */
  readonly left: Promise<void>
}

test(`${CLIENTS} clients that leave at random points leave nothing behind`, async () => {
  const random = seeded(SEED)
  const clients = new Map<string, Client>()
  const watched = watch()
  const { emitter, hooks } = emitterFor(clients, random)
  const { port, server } = await serve((request, response) => emitter.handleNode(request, response, { topics: '*' }))
  const cursor = await fill(emitter)
  const before = resources()

  const reached = countPoints()
  await inTurns(async (n) => {
    const point = POINTS[Math.floor(random() * POINTS.length)]!
    const way = point === 'stalled' ? 'destroy' : WAYS[Math.floor(random() * WAYS.length)]!
    const socket = connect(port, '127.0.0.1')
    const gone = Promise.withResolvers<void>()
    socket.on('error', () => {}).on('close', () => gone.resolve())
    const leave = (): Promise<void> => {
      reached[point]++
      socket[way]()
      // What has come is in the way of the end.
      socket.resume()
      return gone.promise
    }
    clients.set(String(n), { point, leave, left: gone.promise })
    // Without a cursor it gets a snapshot, with one a replay.
    const head = `GET /events?n=${n} HTTP/1.1\r\nhost: x\r\n${point === 'in mid-snapshot' || point === 'live' ? '' : `last-event-id: ${cursor}\r\n`}\r\n`
    await new Promise((resolve) => socket.once('connect', resolve))
    if (point === 'before the head') return leave()
    if (point === 'in mid-head') {
      socket.write(head.slice(0, 1 + Math.floor(random() * (head.length - 2))))
      if (random() < 0.5) await new Promise(setImmediate)
      return leave()
    }
    if (point === 'stalled') socket.pause()
    socket.write(head)
    if (point === 'live' || point === 'in mid-replay') {
      await heardSome(socket, point === 'live' ? 0 : Math.floor(random() * 5))
      // What is emitted meets it on its way out.
      void emitter.emit('message', BLOCK)
      return leave()
    }
    if (point === 'stalled') {
      await hooks.opened(String(n))
      void emitter.emit('message', BLOCK)
      return leave()
    }
    // The hooks see to the rest. Some read what comes, some do not.
    if (random() < 0.5) socket.resume()
    return gone.promise
  })
  await noSockets(server)
  await hooks.balanced()

  console.log(`seed ${SEED}: ${JSON.stringify(reached)}; ${hooks.connected} were connected, ${hooks.snapshots.started} snapshots begun`)
  expect(emitter.stats()).toMatchObject({ connections: 0, topics: {}, everyTopic: 0, lag: 0, buffered: 0 })
  expect(hooks.disconnected).toBe(hooks.connected)
  expect(hooks.snapshots.ended).toBe(hooks.snapshots.started)
  for (const count of Object.values(reached)) expect(count).toBeGreaterThan(CLIENTS / POINTS.length / 2)
  expect(moreThan(before)).toEqual({})
  for (const signal of hooks.signals) expect(getEventListeners(signal, 'abort')).toEqual([])
  expect(watched.warnings).toEqual([])

  await allPlacesFree(() => emitter.handle(new Request('http://localhost/events?n=again')))
  await emitter.close()
}, 30_000)

test(`${CLIENTS} web requests that are aborted at random points leave nothing behind`, async () => {
  const random = seeded(SEED)
  const clients = new Map<string, Client>()
  const watched = watch()
  const { emitter, hooks } = emitterFor(clients, random)
  const cursor = await fill(emitter)
  const before = resources()

  const reached = countPoints()
  const signals: AbortSignal[] = []
  await inTurns(async (n) => {
    const point = POINTS[Math.floor(random() * POINTS.length)]!
    const controller = new AbortController()
    const request = new Request(`http://localhost/events?n=${n}`, {
      signal: controller.signal,
      headers: point === 'in mid-snapshot' || point === 'live' ? {} : { 'last-event-id': cursor },
    })
    signals.push(request.signal)
    const gone = Promise.withResolvers<void>()
    let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
    const leave = async (): Promise<void> => {
      reached[point]++
      if (reader && random() < 0.5) await reader.cancel()
      else controller.abort()
      gone.resolve()
    }
    clients.set(String(n), { point, leave, left: gone.promise })
    if (point === 'before the head') void leave()
    const response = await emitter.handle(request, { topics: '*' })
    if (response.status !== 200) return gone.promise
    // Nobody has read it yet.
    if (point === 'in mid-head') return leave()
    reader = response.body!.getReader()
    const first = await reader.read()
    if (first.done) return gone.promise
    if (point === 'in mid-replay' || point === 'live' || point === 'stalled') {
      for (let reads = Math.floor(random() * 3); reads > 0 && point === 'in mid-replay'; reads--) await reader.read()
      void emitter.emit('message', BLOCK)
      if (point === 'live') await reader.read()
      return leave()
    }
    // Reads until it is cut: the hooks see to that.
    while (!(await reader.read()).done);
    return gone.promise
  })
  await hooks.balanced()

  console.log(`seed ${SEED}: ${JSON.stringify(reached)}; ${hooks.connected} were connected, ${hooks.snapshots.started} snapshots begun`)
  expect(emitter.stats()).toMatchObject({ connections: 0, topics: {}, everyTopic: 0, lag: 0, buffered: 0 })
  expect(hooks.disconnected).toBe(hooks.connected)
  expect(hooks.snapshots.ended).toBe(hooks.snapshots.started)
  for (const count of Object.values(reached)) expect(count).toBeGreaterThan(CLIENTS / POINTS.length / 2)
  for (const signal of [...signals, ...hooks.signals]) expect(getEventListeners(signal, 'abort')).toEqual([])
  expect(moreThan(before)).toEqual({})
  expect(watched.warnings).toEqual([])

  await allPlacesFree(() => emitter.handle(new Request('http://localhost/events?n=again')))
  await emitter.close()
}, 30_000)

test('a web request that nobody holds on to is heard when it is aborted', async () => {
  const { emitter } = emitterFor(new Map(), () => 1)
  const controller = new AbortController()
  const open = async (): Promise<ReadableStreamDefaultReader<Uint8Array>> =>
    (await emitter.handle(new Request('http://localhost/events', { signal: controller.signal }))).body!.getReader()
  const reader = await open()
  await reader.read()
  expect(emitter.stats().connections).toBe(1)
  // Its signal follows the controller's only as long as the request is there.
  for (let i = 0; i < 3; i++) {
    await new Promise(setImmediate)
    heap()
  }
  controller.abort()
  expect(emitter.stats().connections).toBe(0)
})

test.each(['node', 'web'] as const)(
  `each of ${CLIENTS} generators comes to its end, wherever its client leaves: %s`,
  async (path) => {
    const random = seeded(SEED)
    const watched = watch()
    const clients = new Map<string, () => void>()
    const signals: AbortSignal[] = []
    let started = 0
    let ended = 0
    let told = 0
    const streams = streamEvents(
      market,
      {
        limits: { connections: CLIENTS },
        async connect(request) {
          const n = new URL(request.url).searchParams.get('n')!
          if (Number(n) % 5 === 1) clients.get(n)!()
          await new Promise(setImmediate)
          return { context: n }
        },
      },
      async function* ({ signal, context: n }) {
        started++
        signals.push(signal)
        signal.addEventListener('abort', () => told++, { once: true })
        const leaveAt = Math.floor(random() * 20)
        try {
          for (let i = 0; i < 20; i++) {
            if (i === leaveAt && Number(n) % 5 > 1) clients.get(n)!()
            if (random() < 0.5) await new Promise(setImmediate)
            yield { event: 'message', data: BLOCK }
          }
          // Who leaves has been told before this comes.
          if (Number(n) >= 0) await aborted(signal)
        } finally {
          ended++
          oneEnded.resolve()
          oneEnded = Promise.withResolvers()
        }
      },
    )
    let oneEnded = Promise.withResolvers<void>()
    const allEnded = async (): Promise<void> => {
      while (ended < started) await oneEnded.promise
    }
    const { port, server } = await serve((request, response) => streams.handleNode(request, response))
    const before = resources()
    let connected = 0
    await inTurns(async (n) => {
      const address = `?n=${n}`
      const stall = random() < 0.3
      if (path === 'web') {
        const controller = new AbortController()
        clients.set(String(n), () => controller.abort())
        const request = new Request(`http://localhost/${address}`, { signal: controller.signal })
        if (n % 5 === 0) controller.abort()
        const response = await streams.handle(request)
        if (response.status !== 200) return
        connected++
        const reader = response.body!.getReader()
        if (stall && n % 5 > 1) {
          await reader.read()
          controller.abort()
        } else while (!(await reader.read()).done);
        expect(getEventListeners(request.signal, 'abort')).toEqual([])
        return
      }
      const socket = connect(port, '127.0.0.1')
      const way = WAYS[Math.floor(random() * (stall ? 2 : 3))]!
      clients.set(String(n), () => socket[way]())
      socket.on('error', () => {})
      const gone = new Promise<void>((resolve) => socket.on('close', () => resolve()))
      socket.write(`GET /${address} HTTP/1.1\r\nhost: x\r\n\r\n`)
      if (n % 5 === 0) socket.once('connect', () => socket[way]())
      else connected++
      if (!stall) socket.resume()
      // It hears of the first bytes and stops there.
      else socket.once('readable', () => clients.get(String(n))!())
      await gone
    })
    if (path === 'node') await noSockets(server)
    await allEnded()
    console.log(`seed ${SEED}, ${path}: ${connected} came, ${started} generators started, ${ended} ended, ${told} signals aborted`)
    expect(started).toBeGreaterThan(CLIENTS / 3)
    expect(ended).toBe(started)
    expect(signals.every(({ aborted: it }) => it)).toBe(true)
    expect(told).toBe(started)
    expect(streams.connections).toBe(0)
    expect(moreThan(before)).toEqual({})
    expect(watched.warnings).toEqual([])

    clients.set('-2', () => {})
    await allPlacesFree(() => streams.handle(new Request('http://localhost/?n=-2')))
    await allEnded()
    await streams.close()
  },
  30_000,
)

/** An emitter whose hooks make clients leave while they are at work. */
function emitterFor(clients: ReadonlyMap<string, Client>, random: () => number) {
  let balance = Promise.withResolvers<void>()
  const opened = new Map<string, PromiseWithResolvers<void>>()
  const opening = (n: string): PromiseWithResolvers<void> => {
    if (!opened.has(n)) opened.set(n, Promise.withResolvers())
    return opened.get(n)!
  }
  const signals: AbortSignal[] = []
  const snapshots = { started: 0, ended: 0 }
  let deciding = 0
  const hooks = {
    connected: 0,
    disconnected: 0,
    snapshots,
    signals,
    /** Resolves when this client's stream has opened. */
    opened: (n: string): Promise<void> => opening(n).promise,
    /** Resolves when every stream that has opened is gone, every snapshot at its end, and nobody waits to be let in. */
    async balanced(): Promise<void> {
      while (hooks.connected !== hooks.disconnected || snapshots.started !== snapshots.ended || deciding > 0) await balance.promise
    },
  }
  const change = (): void => {
    balance.resolve()
    balance = Promise.withResolvers()
  }
  const options: EmitterOptions<Market, string> = {
    history: { events: 1_000 },
    limits: { connections: CLIENTS },
    async connect(request) {
      const n = new URL(request.url).searchParams.get('n') ?? ''
      const client = clients.get(n)
      signals.push(request.signal)
      deciding++
      if (client?.point === 'while connect decides') {
        // Some decisions come before the server has heard that the client is gone, some after.
        const left = client.leave()
        if (random() < 0.5) await left
        if (random() < 0.5) await new Promise(setImmediate)
      } else if (random() < 0.5) await new Promise(setImmediate)
      deciding--
      change()
      return { context: n }
    },
    async *snapshot({ context: n, signal }) {
      snapshots.started++
      const client = clients.get(n)
      const leaveAt = Math.floor(random() * 10)
      try {
        for (let i = 0; i < 10; i++) {
          if (i === leaveAt && client?.point === 'in mid-snapshot') void client.leave()
          if (random() < 0.5) await new Promise(setImmediate)
          yield { event: 'message', data: BLOCK }
        }
        if (client?.point === 'in mid-snapshot') await aborted(signal)
      } finally {
        snapshots.ended++
        change()
      }
    },
    onConnect({ context: n }) {
      hooks.connected++
      opening(n).resolve()
      change()
    },
    onDisconnect() {
      hooks.disconnected++
      change()
    },
  }
  return { emitter: createEmitter<Market, string>(market, options), hooks }
}

/** So much that it takes a while to replay. Gives the cursor before the first of it. */
async function fill({ emit }: Pick<ReturnType<typeof emitterFor>['emitter'], 'emit'>): Promise<string> {
  let first = ''
  for (let i = 0; i < 500; i++) first ||= await emit('message', BLOCK)
  return first
}

/** Runs one for each client, so many at a time. */
async function inTurns(run: (n: number) => Promise<void>): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => {
    while (next < CLIENTS) await run(next++)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
}

function countPoints(): Record<Point, number> {
  return Object.fromEntries(POINTS.map((point) => [point, 0])) as Record<Point, number>
}

/** Reads until an id has come, and as many pieces more; or until the end. */
async function heardSome(socket: Socket, more: number): Promise<void> {
  let rest = ''
  let pieces = 0
  let identified = false
  await new Promise<void>((resolve) => {
    socket.on('close', resolve)
    socket.on('data', (data) => {
      const text = rest + data.toString()
      identified ||= text.includes('\nid: ')
      rest = text.slice(-10)
      if (identified && pieces++ >= more) resolve()
    })
  })
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}

/** Takes every place that the limit leaves, sees that there is no other, and frees them. */
async function allPlacesFree(open: () => Promise<Response>): Promise<void> {
  const responses = await Promise.all(Array.from({ length: CLIENTS }, open))
  expect(responses.filter(({ status }) => status !== 200)).toEqual([])
  const readers = responses.map(({ body }) => body!.getReader())
  for (const reader of readers) expect((await reader.read()).done).toBe(false)
  expect((await open()).status).toBe(503)
  await Promise.all(readers.map((reader) => reader.cancel()))
}

/** Resolves when a server has no socket left, and all have been told of that. */
async function noSockets(server: Server): Promise<void> {
  const count = (): Promise<number> =>
    new Promise((resolve, reject) => server.getConnections((error, n) => (error ? reject(error) : resolve(n))))
  while ((await count()) > 0) await new Promise(setImmediate)
  // A socket is no longer counted a turn before it says 'close'.
  for (let turns = 0; turns < 3; turns++) await new Promise(setImmediate)
}

/** What keeps the process alive, by kind. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) if (!TRANSIENT.has(kind)) counts[kind] = (counts[kind] ?? 0) + 1
  return counts
}

/** The kinds of which there are more than there were. */
function moreThan(before: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(resources()).filter(([kind, count]) => count > (before[kind] ?? 0)))
}

/** Of the test runner. */
const TRANSIENT = new Set(['Immediate', 'FSReqCallback', 'FSReqPromise', 'TickObject', 'MessagePort'])

/** Collects warnings, as of too many listeners. */
function watch(): { readonly warnings: string[] } {
  const warnings: string[] = []
  const note = (warning: Error): void => void warnings.push(String(warning))
  process.on('warning', note)
  onTestFinished(() => void process.off('warning', note))
  return { warnings }
}
