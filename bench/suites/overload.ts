import { interleave, nameOf, type Case, type Results } from '../compare.ts'
import type { Load } from '../measure.ts'
import type { Suite, Table } from '../report.ts'
import { eventwire, floor } from '../servers.ts'
import { figure } from '../statistics.ts'

const CLIENTS = 1_000
/** Events a second, as shares of what one write for each event can carry. */
const SHARES = [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2.5, 5, 10]
const THOUSAND: Load = { mode: 'fixed', clients: CLIENTS, rate: 1_000 }

export const suite: Suite = {
  name: 'overload',
  about: 'Events that are published faster than one write for each and client could carry.',
  async run({ rounds, log }) {
    const capacity = await capacityOf(rounds, log)
    const curve: Case[] = SHARES.map((share) => ({
      server: eventwire,
      load: { mode: 'fixed', clients: CLIENTS, rate: Math.round(capacity * share) },
    }))
    // The curve is read as a whole, so two rounds will do; the last row is a figure of its own.
    const swept = await interleave(curve, Math.min(2, rounds), log)
    const thousand = await interleave(
      [floor, eventwire].map((server) => ({ server, load: THOUSAND })),
      rounds,
      log,
    )
    return [curveTable(swept, curve, capacity), thousandTable(thousand)]
  },
}

/** Events a second that eventwire sends to all clients when each is published in a tick, and so leaves in a write, of its own. */
async function capacityOf(rounds: number, log: (line: string) => void): Promise<number> {
  const load: Load = { mode: 'flat', clients: CLIENTS, burst: 1, window: 8 }
  const results = await interleave([{ server: eventwire, load }], Math.min(3, rounds), log)
  return results.median('eventwire', nameOf(load), ({ deliveries, seconds }) => deliveries / seconds) / CLIENTS
}

function curveTable(results: Results, curve: readonly Case[], capacity: number): Table {
  return {
    title: `${figure(CLIENTS)} clients, from 10 % to 1,000 % of what one write for each event carries`,
    note: `100 % are ${figure(capacity)} events a second: as many as eventwire delivered when each was published in a tick of its own, eight under way.`,
    columns: ['offered', 'events/s', 'delivered/s', 'of it', 'events a read', 'p50, ms', 'p99, ms', 'RSS, MB'],
    rows: curve.map(({ load }, i) => [`${(SHARES[i] ?? 0) * 100} %`, figure(load.rate ?? 0)].concat(cells(results, 'eventwire', load))),
  }
}

function thousandTable(results: Results): Table {
  return {
    title: `${figure(CLIENTS)} clients, 1,000 events a second`,
    note: 'The floor has one send for each event and client, and drops what a full socket does not take.',
    columns: ['server', 'delivered/s', 'of it', 'events a read', 'p50, ms', 'p99, ms', 'RSS, MB'],
    rows: ['floor', 'eventwire'].map((server) => [server].concat(cells(results, server, THOUSAND))),
  }
}

function cells(results: Results, server: string, load: Load): string[] {
  const name = nameOf(load)
  const delivered = results.median(server, name, ({ deliveries, seconds }) => deliveries / seconds)
  return [
    figure(delivered),
    `${figure((delivered / ((load.rate ?? 0) * CLIENTS)) * 100)} %`,
    figure(results.median(server, name, ({ eventsPerRead }) => eventsPerRead)),
    figure(results.median(server, name, ({ p50 }) => p50)),
    figure(results.median(server, name, ({ p99 }) => p99)),
    figure(results.median(server, name, ({ rssMax }) => rssMax / 1e6)),
  ]
}
