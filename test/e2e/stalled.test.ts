import type { IncomingMessage } from 'node:http'
import { expect, test } from 'vitest'
import type { Gap } from 'eventwire/wire'
import { startServer, type Child } from './support/child.ts'
import type { Emission, ServerConfig } from './support/server.ts'
import { countEvents, openStream, quantile, readStream, seqOf, type Item } from './support/stream.ts'

const MB = 1 << 20
const BYTES = 4_096
const TOTAL = (200 * MB) / BYTES
/** For what is told of the one alone. */
const LESS = (64 * MB) / BYTES
const BATCH = 64
const LOG = 4 * MB
/** What the server's memory may grow by, beyond the log, because of one that does not read. */
const ALLOWED = 20 * MB

/** Of 100 readers one stalls and 2 hear everything; each of the others hears a topic of its own, a hundredth of it. */
const TOPICS = 100
const NARROW = 97
const WIDE = 2

const emission: Emission = { from: 1, count: BATCH, bytes: BYTES, topics: TOPICS, keys: 50, plain: 7 }
const keyOf = (n: number): string => (n % emission.plain === 0 ? '-' : `k${n % emission.keys}`)
/** Topic and key: a newer event of the same ones replaces an older. */
const pairOf = (n: number): string => `${n % TOPICS} ${keyOf(n)}`

interface Run {
  readonly server: Child
  readonly url: string
  readonly stalled: IncomingMessage | undefined
  /** How much is reachable at most, more than before the first event. */
  readonly live: number
  /** Printed only: it is garbage for the most part, and as much as the collector finds convenient. */
  readonly rss: number
  readonly p50: number
  readonly p99: number
}

test.each(['node', 'web'] as const)(
  'one that does not read, among 100 readers of 200 MB, costs neither memory nor the others time: %s',
  async (path) => {
    const [without, stalling] = [await broadcast({ path }, false), await broadcast({ path, policy: 'gap' }, true)]
    expect(stalling.live - without.live).toBeLessThan(ALLOWED)
    expect(stalling.live).toBeLessThan(LOG + ALLOWED)
    // Of the same order: the machine's noise is more than what is looked for here.
    expect(stalling.p99).toBeLessThan(4 * without.p99 + 5_000)

    // It reads on, once all is over.
    const items = await readStream(stalling.stalled!, endsWith(TOTAL))
    const gaps = exactButForGaps(items)
    expect(gaps.length).toBeGreaterThan(0)
    for (const { reason } of gaps) expect(reason).toBe('overflow')
    expect(items.length - gaps.length).toBeLessThan(TOTAL / 2)
    await stalling.server.stop()
  },
  120_000,
)

test.each(['node', 'web'] as const)(
  'one that does not read is cut, where that is asked for, and hears of the gap when it comes back: %s',
  async (path) => {
    const { server, url, stalled, live } = await broadcast({ path, policy: 'disconnect' }, true, LESS)
    await server.told((it) => it.tells === 'disconnected' && it.name === 'stalled')
    expect(live).toBeLessThan(LOG + ALLOWED)

    const before = await readStream(stalled!, () => false)
    expect(exactButForGaps(before)).toEqual([])
    const last = before.at(-1) as Item & { seq: number }
    const [epoch] = (await server.call('stats')).log.head.split('-')
    const back = await openStream(`${url}?topic=*`, { 'last-event-id': `${epoch}-${last.seq}` })
    const after = await readStream(back, endsWith(LESS))
    expect(exactButForGaps([...before, ...after]).map(({ reason }) => reason)).toEqual(['evicted'])
    await server.stop()
  },
  120_000,
)

test.each(['node', 'web'] as const)(
  'one that does not read is sent the newest of each key, where that is asked for, and all that has none: %s',
  async (path) => {
    const { server, stalled, live } = await broadcast({ path, policy: 'latest' }, true, LESS)
    expect(live).toBeLessThan(LOG + ALLOWED)

    const items = await readStream(stalled!, endsWith(LESS))
    // The log held too little of it: that is a loss too, and declared as one.
    const overflow = items.findLastIndex((item) => 'gap' in item && item.gap.reason === 'overflow')
    expect(overflow).toBeGreaterThan(0)
    onlySupersededMissing(items, LESS)
    const newest = items.slice(overflow + 1).flatMap((item) => ('gap' in item || item.key === '-' ? [] : [item.n]))
    expect(newest).toHaveLength(new Set(newest.map(pairOf)).size)
    await server.stop()
  },
  120_000,
)

test('one that reads on before the log has dropped anything is sent the newest of each key, and nothing else is lost', async () => {
  const { server, stalled } = await broadcast({ path: 'node', policy: 'latest', history: { events: 1e6, bytes: 256 * MB } }, true, LESS)
  const items = await readStream(stalled!, endsWith(LESS))
  const gaps = items.flatMap((item) => ('gap' in item ? [item.gap.reason] : []))
  expect(new Set(gaps)).toEqual(new Set(['superseded']))
  onlySupersededMissing(items, LESS)
  await server.stop()
}, 120_000)

/** Emits to 99 readers that read, and one that does not, if there is to be one. The next batch follows when the last has been read. */
async function broadcast(config: ServerConfig, withStalled: boolean, total = TOTAL): Promise<Run> {
  const history = { events: 1_000_000, bytes: LOG }
  const server = await startServer({ heartbeat: 100, stallTimeout: 1e6, history, ...config })
  const url = `http://127.0.0.1:${await server.call('listen')}/events`
  const open = async (name: string, topic: string): Promise<IncomingMessage> => {
    const response = await openStream(`${url}?topic=${topic}&name=${name}`)
    await server.told((told) => told.tells === 'connected' && told.name === name)
    return response
  }
  const delays: number[] = []
  let missing = 0
  let read = Promise.withResolvers<void>()
  const take = (count: number): void => {
    missing -= count
    if (missing === 0) read.resolve()
  }
  const topics = [...Array.from({ length: NARROW }, (_, i) => `t${i}`), ...Array.from({ length: WIDE }, () => '*')]
  const readers = await Promise.all(topics.map((topic, i) => open(`reader ${i}`, topic)))
  for (const reader of readers) countEvents(reader, delays, take)
  const stalled = withStalled ? await open('stalled', '*') : undefined

  const before = await server.call('memory')
  let live = 0
  let rss = 0
  for (let from = 1; from <= total; from += BATCH) {
    read = Promise.withResolvers()
    for (let n = from; n < from + BATCH; n++) missing += WIDE + (n % TOPICS < NARROW ? 1 : 0)
    void server.call('emit', { ...emission, from })
    await read.promise
    if ((from - 1) % (BATCH * 80) !== 0 && from + BATCH <= total) continue
    const now = await server.call('memory')
    live = Math.max(live, now.live - before.live)
    rss = Math.max(rss, now.rss - before.rss)
  }
  const stats = await server.call('stats')
  const run = { server, url, stalled, live, rss, p50: quantile(delays, 0.5), p99: quantile(delays, 0.99) }
  console.log(
    `${config.path} ${config.policy ?? ''} ${withStalled ? 'with one stalled' : 'without'}: ${(live / MB).toFixed(1)} MB more reachable, RSS +${(rss / MB).toFixed(0)} MB, ` +
      `delay of the others ${run.p50} us at the median, ${run.p99} us at p99; buffered ${stats.buffered}, lag ${stats.lag}`,
  )
  if (!stalled) await server.stop()
  return run
}

function endsWith(seq: number): (items: readonly Item[]) => boolean {
  return (items) => {
    const last = items.at(-1)
    return last !== undefined && 'seq' in last && last.seq === seq
  }
}

/** Fails unless all is there from the first event on, except what gaps declare. Gives those. */
function exactButForGaps(items: readonly Item[]): Gap[] {
  const gaps: Gap[] = []
  let next = 1
  for (const item of items) {
    if ('gap' in item) {
      expect(seqOf(item.gap.requested)).toBe(next - 1)
      next = seqOf(item.gap.oldest)
      gaps.push(item.gap)
    } else {
      if (item.seq !== next || item.n !== next) expect(item).toEqual({ seq: next, n: next, key: keyOf(next) })
      next++
    }
  }
  return gaps
}

/** Fails unless all is there in order, except what a gap declares: as dropped by the log, or as replaced by a newer event that is there. */
function onlySupersededMissing(items: readonly Item[], total: number): void {
  const heard = new Map<string, number>()
  for (const item of items) if ('n' in item && item.key !== '-') heard.set(pairOf(item.n), item.n)
  let next = 1
  let superseded = false
  for (const item of items) {
    if ('gap' in item) {
      if (item.gap.reason === 'overflow') next = seqOf(item.gap.oldest)
      else superseded = item.gap.reason === 'superseded'
      continue
    }
    for (; next < item.seq; next++) {
      if (!superseded || keyOf(next) === '-' || heard.get(pairOf(next))! <= next) throw new Error(`Event ${next} is not there.`)
    }
    expect(item.n).toBe(next++)
  }
  expect(next).toBe(total + 1)

  const newest = new Map<string, number>()
  for (let n = 1; n <= total; n++) if (keyOf(n) !== '-') newest.set(pairOf(n), n)
  expect(heard).toEqual(newest)
}
