import { interleave, type Case, type Results } from '../compare.ts'
import type { Measurement, Server } from '../measure.ts'
import type { Suite, SuiteOptions } from '../report.ts'
import { betterSse, eventwire, floor, orpc, prepared, trpc } from '../servers.ts'
import { figure } from '../statistics.ts'

const LOGGED = 10_000
const MISSED = 1_000

/** How many reconnect to each; fewer where one of them takes milliseconds. */
const CLIENTS = new Map<Server, number>([
  [prepared, 1_000],
  [floor, 1_000],
  [eventwire, 1_000],
  [betterSse, 1_000],
  [orpc, 50],
  [trpc, 50],
])

export const suite: Suite = {
  name: 'replay',
  about: `Clients that reconnect at once, each having missed ${figure(MISSED)} events of ${figure(LOGGED)}; against a node server that writes one prepared buffer.`,
  async run(options) {
    const cases = casesFor(options)
    const results = await interleave(cases, options.rounds, options.log, () => 'replay')
    return [
      {
        title: `Replay of ${figure(MISSED)} events`,
        note: 'Medians; ratios to `prepared` in the same round. The floor is the same in C. 1,000 clients; 50 of oRPC and tRPC.',
        columns: ['server', 'CPU a client, µs', 'ratio', 'MB/s', 'ratio'],
        rows: cases.map(({ server: { name } }) => [name].concat(pair(results, name, cpu), pair(results, name, rate))),
      },
    ]
  },
}

function casesFor({ only }: SuiteOptions): Case[] {
  return [...CLIENTS]
    .filter(([server]) => server === prepared || !only || only.includes(server.name))
    .map(([server, clients]) => ({
      server: { ...server, options: { logged: LOGGED, missed: MISSED } },
      load: { mode: 'connect', clients, replay: MISSED, rehearse: true },
    }))
}

const cpu = ({ cpuUs }: Measurement): number => cpuUs
const rate = ({ bytes, seconds }: Measurement): number => bytes / seconds / 1e6

function pair(results: Results, name: string, pick: (measurement: Measurement) => number): string[] {
  return [figure(results.median(name, 'replay', pick)), figure(results.ratio(name, 'prepared', 'replay', pick))]
}
