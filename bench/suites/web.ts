import { interleave, nameOf, type Results } from '../compare.ts'
import type { Load, Measurement } from '../measure.ts'
import type { Suite } from '../report.ts'
import { WEB } from '../servers.ts'
import { figure } from '../statistics.ts'

const LOADS: readonly Load[] = [
  { mode: 'flat', clients: 1_000, burst: 1, window: 1 },
  { mode: 'flat', clients: 1_000, burst: 10, window: 10 },
]

const cpu = ({ cpuUs }: Measurement): number => cpuUs

function cell(results: Results, { plain, eventwire }: (typeof WEB)[number], load: string): string {
  const us = [plain, eventwire].map(({ name }) => figure(results.median(name, load, cpu)))
  return `${figure(results.ratio(eventwire.name, plain.name, load, cpu))} (${us.join(', ')})`
}

export const suite: Suite = {
  name: 'web',
  about: "`handle` on the runtimes' own servers, against a plain ReadableStream of bytes that were encoded once, on the same server.",
  async run({ rounds, log }) {
    const cases = LOADS.flatMap((load) => WEB.flatMap(({ plain, eventwire }) => [plain, eventwire].map((server) => ({ server, load }))))
    const results = await interleave(cases, rounds, log)
    return [
      {
        title: 'CPU per delivery of a web handler',
        note: 'Clients x events in one tick. The ratio to the plain stream in the same round, the median; in brackets microseconds of the plain stream and of eventwire.',
        columns: ['server', ...LOADS.map(nameOf)],
        rows: WEB.map((runtime) => [runtime.title].concat(LOADS.map((load) => cell(results, runtime, nameOf(load))))),
      },
    ]
  },
}
