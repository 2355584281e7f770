import { interleave, nameOf, type Case, type Results } from '../compare.ts'
import type { Load, Server } from '../measure.ts'
import type { Suite, Table } from '../report.ts'
import { eventwire, gzipEach } from '../servers.ts'
import { figure } from '../statistics.ts'

const BURSTS = [1, 10]
const GZIP = 'Accept-Encoding: gzip'

const PLAIN = 'eventwire'
const SERVERS: readonly { server: Server; header?: string }[] = [
  { server: eventwire },
  { server: { ...eventwire, name: "eventwire, compression: 'shared'", options: { compression: true } }, header: GZIP },
  { server: gzipEach, header: GZIP },
]

export const suite: Suite = {
  name: 'compression',
  about: 'Bytes that are deflated once for all clients, against none, and against a gzip stream for each.',
  async run({ rounds, log }) {
    const loads = BURSTS.map((burst): Load => ({ mode: 'flat', clients: 1_000, burst, window: burst, sampled: 1 }))
    const cases: Case[] = loads.flatMap((load) => SERVERS.map(({ server, header = '' }) => ({ server, load: { ...load, header } })))
    const results = await interleave(cases, rounds, log)
    return loads.map((load) => tableOf(results, load))
  },
}

function tableOf(results: Results, load: Load): Table {
  return {
    title: `${figure(load.clients)} clients, ${load.burst} ${load.burst === 1 ? 'event' : 'events'} a tick`,
    note: `Ratios to \`${PLAIN}\` in the same round, medians. The memory is the growth of RSS for each connection before the first event. The load counts the events of one stream, and takes the others to be like it.`,
    columns: ['server', 'CPU a delivery, µs', 'ratio', 'bytes a delivery', 'times fewer', 'bytes of memory'],
    rows: SERVERS.map(({ server }) => rowOf(results, server.name, load)),
  }
}

function rowOf(results: Results, name: string, load: Load): string[] {
  const of = nameOf(load)
  const bytes = results.median(name, of, (one) => one.bytes / one.deliveries)
  return [
    name,
    figure(results.median(name, of, ({ cpuUs }) => cpuUs)),
    figure(results.ratio(name, PLAIN, of, ({ cpuUs }) => cpuUs)),
    figure(bytes),
    figure(results.ratio(PLAIN, name, of, (one) => one.bytes / one.deliveries)),
    figure(results.median(name, of, ({ rssBefore, rssIdle }) => (rssIdle - rssBefore) / load.clients)),
  ]
}
