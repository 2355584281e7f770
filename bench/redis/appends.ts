import { foreign } from '../measure.ts'
import type { SuiteOptions, Table } from '../report.ts'
import { figure } from '../statistics.ts'
import { candidates, floor, type Candidate } from './peers.ts'
import type { Appends } from './duties.ts'
import { inRounds, type Rounds } from './rounds.ts'
import { busyUs } from './process.ts'
import { startRedis, type Redis } from './server.ts'
import { Worker } from './workers.ts'

const PUBLISHERS = [1, 10, 100]
const MS = 220
const WARM_UP_MS = 30
const REHEARSAL_MS = 400
const REDIS_CORE = 0
const NODE_CORE = 1

interface Case {
  readonly candidate: Candidate
  readonly publishers: number
}

type Run = Appends & { readonly redisCpuUs: number }

/** How many events a node gets into Redis, each publisher waiting for its own to be confirmed. */
export async function appends({ rounds, log, only }: SuiteOptions): Promise<Table[]> {
  const redis = await startRedis(REDIS_CORE)
  const workers = new Map<Candidate, Worker>()
  try {
    for (const one of candidates(only)) workers.set(one, await Worker.start('node', one.peer, redis.url, NODE_CORE))
    for (const worker of workers.values()) await worker.ask('flat', { publishers: 10, ms: REHEARSAL_MS })
    const cases = [...workers.keys()].flatMap((candidate) => PUBLISHERS.map((publishers) => ({ candidate, publishers })))
    const others = watchOthers(redis)
    const results = await inRounds(cases, rounds, log, ({ candidate, publishers }) => measure(redis, workers.get(candidate), publishers))
    foreign.push(others())
    return [rateTable(results, cases, redis), cpuTable(results, cases)]
  } finally {
    await Promise.all([...[...workers.values()].map((worker) => worker.end()), redis.stop()])
  }
}

async function measure(redis: Redis, worker: Worker | undefined, publishers: number): Promise<Run> {
  if (!worker) throw new Error('A node is missing.')
  await worker.ask('flat', { publishers, ms: WARM_UP_MS })
  const before = redis.cpuUs()
  const result = await worker.ask('flat', { publishers, ms: MS })
  return { ...result, redisCpuUs: redis.cpuUs() - before }
}

/** The share of Redis' core that others take from now on. */
function watchOthers(redis: Redis): () => number {
  const taken = (): number => busyUs(REDIS_CORE) - redis.cpuUs()
  const before = { time: performance.now(), taken: taken() }
  return () => (taken() - before.taken) / 1_000 / (performance.now() - before.time)
}

function rateTable(results: Rounds<Case, Run>, cases: readonly Case[], { version }: Redis): Table {
  const cell = (one: Case): string => {
    const base = baseOf(cases, one)
    return `${figure(results.ratio(one, base, perSecond))} (${figure(results.median(one, perSecond))})`
  }
  return {
    title: 'Confirmed events a second, by the number of publishers',
    note:
      `Each has one event of 120 bytes under way. Redis ${version} on a core of its own. The median of the ratios to XADD in the same round; in brackets the median. ` +
      'Read back: the same process reads all that it has appended, as a node of eventwire and of socket.io does. ' +
      '`emit` of socket.io confirms nothing, so what is waited for is the XADD of its adapter. `publish` of oRPC, with resume, is an XADD and then a PUBLISH.',
    columns: ['', ...PUBLISHERS.map(String)],
    rows: byCandidate(cases, (own) => own.map(cell)),
  }
}

function cpuTable(results: Rounds<Case, Run>, cases: readonly Case[]): Table {
  const cell = (one: Case): string => [nodeUs, redisUs].map((pick) => figure(results.median(one, pick))).join(' + ')
  return {
    title: 'CPU time of an event, by the number of publishers',
    note: 'In microseconds: of the node + of redis-server.',
    columns: ['', ...PUBLISHERS.map(String)],
    rows: byCandidate(cases, (own) => own.map(cell)),
  }
}

function byCandidate(cases: readonly Case[], cells: (own: readonly Case[]) => string[]): string[][] {
  return [...Map.groupBy(cases, ({ candidate }) => candidate)].map(([{ name }, own]) => [name].concat(cells(own)))
}

function baseOf(cases: readonly Case[], { publishers }: Case): Case {
  return cases.find((one) => one.candidate === floor && one.publishers === publishers)!
}

const perSecond = ({ events, seconds }: Run): number => events / seconds
const nodeUs = ({ events, cpuUs }: Run): number => cpuUs / events
const redisUs = ({ events, redisCpuUs }: Run): number => redisCpuUs / events
