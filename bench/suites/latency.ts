import { interleave, type Results } from '../compare.ts'
import type { Load, Server } from '../measure.ts'
import type { Suite, Table } from '../report.ts'
import { eventwire, floor, resWrite } from '../servers.ts'
import { figure } from '../statistics.ts'

const STEADY: Load = { mode: 'fixed', clients: 1_000, rate: 100, seconds: 1 }
const MANY: Load = { mode: 'fixed', clients: 10_000, rate: 10, seconds: 1.5 }

const SERVERS = [floor, ...[eventwire, resWrite].map(watched)]

function watched(server: Server): Server {
  return { ...server, options: { watchLoop: true } }
}

export const suite: Suite = {
  name: 'latency',
  about: 'From publishing to the arrival at a client, at a rate that leaves the server time to spare.',
  async run({ rounds, log }) {
    const results = await interleave(
      [STEADY, MANY].flatMap((load) => SERVERS.map((server) => ({ server, load, rounds: load === MANY ? Math.min(3, rounds) : rounds }))),
      rounds,
      log,
      ({ clients }) => `${clients}`,
    )
    return [tableOf(results, '1000', '1,000 clients, 100 events a second'), tableOf(results, '10000', '10,000 clients, 10 events a second')]
  },
}

function tableOf(results: Results, load: string, title: string): Table {
  return {
    title,
    note: 'In ms, medians of all rounds. Held is the longest time that the event loop could do nothing else.',
    columns: ['server', 'p50', 'p99', 'p99.9', 'held'],
    rows: SERVERS.map(({ name: server }) => [
      server,
      figure(results.median(server, load, ({ p50 }) => p50)),
      figure(results.median(server, load, ({ p99 }) => p99)),
      figure(results.median(server, load, ({ p999 }) => p999)),
      figure(results.median(server, load, ({ longestHoldMs }) => longestHoldMs)),
    ]),
  }
}
