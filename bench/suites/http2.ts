import { interleave } from '../compare.ts'
import type { Load } from '../measure.ts'
import type { Suite } from '../report.ts'
import { eventwireH2, floor, h2Stream } from '../servers.ts'
import { cpuTable } from '../tables.ts'

const LOADS: readonly Load[] = [
  { mode: 'flat', clients: 1_000, burst: 1, window: 1, streams: 100 },
  { mode: 'flat', clients: 1_000, burst: 10, window: 10, streams: 100 },
]

export const suite: Suite = {
  name: 'http2',
  about: "HTTP/2 with 100 streams on each of 10 connections, against node's own stream.write of the same bytes.",
  async run({ rounds, log }) {
    const cases = LOADS.flatMap((load) => [
      { server: h2Stream, load },
      { server: eventwireH2, load },
      { server: floor, load: { ...load, streams: 0 } },
    ])
    const note = 'The floor is that of 1,000 connections of HTTP/1.1.'
    return [cpuTable(await interleave(cases, rounds, log), cases, { title: 'CPU per delivery over HTTP/2', note })]
  },
}
