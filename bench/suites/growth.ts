import { interleave, nameOf, type Case, type Results } from '../compare.ts'
import type { Load } from '../measure.ts'
import type { Suite, Table } from '../report.ts'
import { eventwire, floor } from '../servers.ts'
import { figure, median } from '../statistics.ts'
import { growthTable } from '../tables.ts'

const CONNECTIONS = [100, 1_000, 10_000]
const LOGS = [1_000, 10_000, 100_000]
const MISSED = [10, 100, 1_000]
const GROWING_FLOOR = 'What the floor grows by is the kernel.'
/** Most rounds, since there are many cases. */
const MOST_ROUNDS = 3
/** How many reconnect: more where each has little to catch up on, since the rest of what a connection costs varies. */
const reconnecting = (missed: number): number => (missed < 1_000 ? 2_000 : 500)

export const suite: Suite = {
  name: 'growth',
  about: 'Whether a delivery costs the same among many connections, and a replay the same in a long log.',
  async run({ rounds, log }) {
    const few = Math.min(MOST_ROUNDS, rounds)
    const loads: Load[] = CONNECTIONS.map((clients) => ({ mode: 'flat', clients, burst: 1, window: 1 }))
    const live = await interleave(
      loads.flatMap((load) => [floor, eventwire].map((server) => ({ server, load }))),
      few,
      log,
    )
    const replays = await interleave(replayCases(), few, log, () => 'replay')
    return [growthTable(live, 'eventwire', loads.map(nameOf), { title: 'CPU per delivery', note: GROWING_FLOOR }), replayTable(replays)]
  },
}

function replayCases(): Case[] {
  return LOGS.flatMap((logged) =>
    [0, ...MISSED].map((missed) => ({
      server: { ...eventwire, name: name(logged, missed), options: { logged, missed } },
      load: { mode: 'connect' as const, clients: reconnecting(missed), replay: missed },
    })),
  )
}

function name(logged: number, missed: number): string {
  return `${missed} of ${logged}`
}

function replayTable(results: Results): Table {
  return {
    title: 'CPU of a replay, per missed event',
    note: 'In microseconds: what a connection that has missed so many events costs above one that has missed none, divided by their number.',
    columns: ['log', ...MISSED.map((missed) => `${missed} missed`)],
    rows: LOGS.map((logged) => [figure(logged)].concat(MISSED.map((missed) => figure(perEvent(results, logged, missed))))),
  }
}

function perEvent(results: Results, logged: number, missed: number): number {
  const none = results.values(name(logged, 0), 'replay', ({ cpuUs }) => cpuUs)
  const some = results.values(name(logged, missed), 'replay', ({ cpuUs }) => cpuUs)
  return median(some.map((us, round) => (us - (none[round] ?? Number.NaN)) / missed))
}
