import type { SuiteOptions, Table } from '../report.ts'
import { figure } from '../statistics.ts'
import type { Arrivals } from './duties.ts'
import { candidates, memory, type Candidate } from './peers.ts'
import { inRounds, type Rounds } from './rounds.ts'
import { startRedis } from './server.ts'
import { Worker } from './workers.ts'

/** Events a second, and for how long: until there are enough for a 99th percentile, or nearly. */
const LOADS = [
  { rate: 100, ms: 1_000 },
  { rate: 1_000, ms: 500 },
]
const STRAGGLERS_MS = 1_000
const CONNECT_MS = 10_000
/** What is published until the subscriber hears of it. */
const GREETING = { rate: 200, ms: 100 }
/** And then once, so that what is measured is code that has run. */
const REHEARSAL = { rate: 2_000, ms: 1_000 }

type Load = (typeof LOADS)[number]

interface Case {
  readonly candidate: Candidate
  readonly load: Load
}

type Run = Arrivals & { readonly published: number }

/** The nodes of a candidate, and a subscriber. */
interface Cluster {
  readonly publisher: Worker
  readonly subscriber: Worker
  readonly all: readonly Worker[]
}

/** From publishing on one node to the handler of a subscriber of another. */
export async function latencies({ rounds, log, only }: SuiteOptions): Promise<Table[]> {
  const redis = await startRedis(undefined)
  const clusters = new Map<Candidate, Cluster>()
  try {
    for (const one of candidates(only).filter(({ heardAt }) => heardAt)) clusters.set(one, await startCluster(one, redis.url))
    const cases = LOADS.flatMap((load) => [...clusters.keys()].map((candidate) => ({ candidate, load })))
    const results = await inRounds(cases, rounds, log, ({ candidate, load }) => measure(clusters.get(candidate)!, load))
    return LOADS.map((load) =>
      tableOf(
        results,
        cases.filter((one) => one.load === load),
      ),
    )
  } finally {
    const workers = [...clusters.values()].flatMap(({ all }) => all)
    await Promise.all([...workers.map((worker) => worker.end()), redis.stop()])
  }
}

async function startCluster({ peer, heardAt, name }: Candidate, redis: string): Promise<Cluster> {
  const all: Worker[] = []
  const add = async (...words: Parameters<typeof Worker.start>): Promise<Worker> => {
    const worker = await Worker.start(...words)
    all.push(worker)
    return worker
  }
  try {
    const publisher = await add(heardAt === 'the same node' ? 'listener' : 'node', peer, redis)
    const served = heardAt === 'another node' ? await add('listener', peer, redis) : publisher
    const subscriber = await add('subscriber', peer, heardAt === 'redis' ? redis : served.url)
    const cluster = { publisher, subscriber, all }
    await connected(cluster, name)
    await measure(cluster, REHEARSAL)
    return cluster
  } catch (error) {
    await Promise.all(all.map((worker) => worker.end()))
    throw error
  }
}

async function connected({ publisher, subscriber }: Cluster, name: string): Promise<void> {
  const deadline = performance.now() + CONNECT_MS
  while (performance.now() < deadline) {
    const events = await publisher.ask('fixed', GREETING)
    // Whoever has heard all of them was there before the first.
    if ((await subscriber.ask('arrivals', { events, ms: GREETING.ms })).events === events) return
  }
  throw new Error(`The subscriber of ${name} heard nothing.`)
}

async function measure({ publisher, subscriber }: Cluster, load: Load): Promise<Run> {
  const published = await publisher.ask('fixed', load)
  return { ...(await subscriber.ask('arrivals', { events: published, ms: STRAGGLERS_MS })), published }
}

function tableOf(results: Rounds<Case, Run>, cases: readonly Case[]): Table {
  const base = cases.find(({ candidate }) => candidate === memory)!
  const row = (one: Case): string[] => [
    one.candidate.name,
    figure(results.median(one, p50)),
    figure(results.median(one, p99)),
    figure(results.above(one, base, p50)),
    figure(results.above(one, base, p99)),
    `${figure(results.median(one, ({ events, published }) => (events / published) * 100))} %`,
  ]
  return {
    title: `From one node to a subscriber of another, ${figure(base.load.rate)} events a second`,
    note:
      'In ms. Publisher, serving node and subscriber are processes of their own; a subscriber is the client of the same library: over SSE, of socket.io over a WebSocket. ' +
      'With memoryLog one node publishes and serves; with XADD there is none, and the subscriber reads from Redis. Above: more than memoryLog in the same round.',
    columns: ['', 'p50', 'p99', 'p50, above', 'p99, above', 'arrived'],
    rows: cases.map(row),
  }
}

const p50 = (run: Run): number => run.p50
const p99 = (run: Run): number => run.p99
