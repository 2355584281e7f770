import { interleave, type Case } from '../compare.ts'
import type { Load, Server } from '../measure.ts'
import type { Suite, SuiteOptions } from '../report.ts'
import * as servers from '../servers.ts'
import { cpuTable } from '../tables.ts'

const { floor, prototype, eventwire, resWrite, betterSse, fastifySse, honoStream, goBroker, graphqlSse, orpc, trpc } = servers

const ALL_SIZES = ['1000x1', '10000x1', '1000x10', '1000x100']
const PEER_SIZES = ['1000x1', '10000x1', '1000x10']
// Larger ones would take them minutes.
const SLOW_SIZES = ['1000x1', '1000x10']
/** Most rounds of slow peers, and of any peer with 10,000 clients. */
const FEW_ROUNDS = 3
/** One tick of ten takes the slowest most of a second. */
const SLOW_SECONDS = 1.5

const SIZES_OF = new Map<Server, readonly string[]>([
  ...[floor, prototype, eventwire, resWrite].map((server) => [server, ALL_SIZES] as const),
  ...[betterSse, fastifySse, ...(goBroker ? [goBroker] : [])].map((server) => [server, PEER_SIZES] as const),
  ...[honoStream, graphqlSse, orpc, trpc].map((server) => [server, SLOW_SIZES] as const),
])

export const suite: Suite = {
  name: 'fanout',
  about: 'CPU time of the server for one event to one client, against a C program that does nothing but send() the same bytes.',
  async run(options) {
    const cases = casesFor(options)
    const results = await interleave(cases, options.rounds, options.log)
    return [
      cpuTable(results, cases, {
        title: 'CPU per delivery',
        note: `Clients x events in one tick. ${goBroker ? '' : servers.NO_GO}`.trim(),
      }),
    ]
  },
}

function casesFor({ only, sizes, rounds }: SuiteOptions): Case[] {
  const wanted = [...SIZES_OF].filter(([server]) => server === floor || !only || only.includes(server.name))
  return ALL_SIZES.filter((size) => !sizes || sizes.includes(size)).flatMap((size) =>
    wanted.filter(([, those]) => those.includes(size)).map(([server, those]) => caseOf(server, size, those, rounds)),
  )
}

function caseOf(server: Server, size: string, those: readonly string[], rounds: number): Case {
  const [clients = 0, burst = 0] = size.split('x').map(Number)
  // Longer than elsewhere: until then a good part of what is measured would be the compiler at work.
  const load: Load = { mode: 'flat', clients, burst, window: burst, warmUp: 0.8 }
  const few = those === SLOW_SIZES || (those === PEER_SIZES && clients > 1_000)
  return {
    server,
    load: those === SLOW_SIZES ? { ...load, seconds: SLOW_SECONDS } : load,
    rounds: few ? Math.min(FEW_ROUNDS, rounds) : rounds,
  }
}
