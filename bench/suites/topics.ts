import { interleave, nameOf, type Case } from '../compare.ts'
import type { Load, Server } from '../measure.ts'
import type { Suite } from '../report.ts'
import { eventwire, floor } from '../servers.ts'
import { growthTable } from '../tables.ts'

const CONNECTIONS = [100, 1_000, 10_000]
/** Events in one tick, each to a topic of its own: else most of what is measured would be the tick. */
const BURST = 100

function caseOf(server: Server, clients: number): Case {
  const load: Load = { mode: 'flat', clients, burst: BURST, window: BURST, perEvent: 1, path: '/t%d' }
  return { server: { ...server, options: { topics: clients } }, load }
}

export const suite: Suite = {
  name: 'topics',
  about: 'Connections with one topic of their own each, and events published to one topic after another: CPU time for one event.',
  async run({ rounds, log }) {
    const cases = CONNECTIONS.flatMap((clients) => [floor, eventwire].map((server) => caseOf(server, clients)))
    const results = await interleave(cases, rounds, log)
    const loads = CONNECTIONS.map((clients) => nameOf({ mode: 'flat', clients, burst: BURST }))
    return [
      growthTable(results, 'eventwire', loads, {
        title: 'CPU per event published to one of n topics',
        note: 'The floor sends to one client after another; what it grows by is the kernel.',
      }),
    ]
  },
}
