import { nameOf, type Case, type Results } from './compare.ts'
import type { Measurement } from './measure.ts'
import type { Table } from './report.ts'
import { figure, median, ratio } from './statistics.ts'

/** How the ratios of {@link cpuTable} are to be read. */
const READING = 'The median of the ratios to the first row, each to that of its own round; in brackets the median in microseconds.'

/** CPU time of each server, a row, under each load, a column, as a ratio to the first server. */
export function cpuTable(results: Results, cases: readonly Case[], { title, note = '' }: { title: string; note?: string }): Table {
  const loads = [...new Set(cases.map(({ load }) => nameOf(load)))]
  const names = [...new Set(cases.map(({ server }) => server.name))]
  const base = names[0] ?? ''
  return {
    title,
    note: `${note} ${READING}`.trim(),
    columns: ['server', ...loads],
    rows: names.map((name) => [name].concat(loads.map((load) => cpuCell(results, name, base, load)))),
  }
}

const cpu = ({ cpuUs }: Measurement): number => cpuUs

function cpuCell(results: Results, name: string, base: string, load: string): string {
  const us = results.median(name, load, cpu)
  return Number.isFinite(us) ? `${figure(results.ratio(name, base, load, cpu))} (${figure(us)})` : '–'
}

/** CPU time of the floor and of a server under loads that grow, each a column, as a ratio to the first; and what lies between the two. */
export function growthTable(
  results: Results,
  server: string,
  loads: readonly string[],
  { title, note = '' }: { title: string; note?: string },
): Table {
  const values = (name: string) => loads.map((load) => results.values(name, load, cpu))
  const floor = values('floor')
  const own = values(server)
  const above = own.map((rounds, load) => rounds.map((us, round) => us - (floor[load]?.[round] ?? Number.NaN)))
  return {
    title,
    note: `${note} The median of the ratios to the first column in the same round; in brackets the median in microseconds.`.trim(),
    columns: ['server', ...loads],
    rows: [growthRow('floor', floor), growthRow(server, own), growthRow(`${server}, above the floor`, above)],
  }
}

function growthRow(name: string, loads: readonly (readonly number[])[]): string[] {
  const [least = []] = loads
  return [name].concat(loads.map((rounds) => `${figure(ratio(rounds, least))} (${figure(median(rounds))})`))
}
