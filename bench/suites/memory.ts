import { execFileSync } from 'node:child_process'
import { interleave } from '../compare.ts'
import type { Load } from '../measure.ts'
import { inBench } from '../paths.ts'
import type { Suite, SuiteOptions, Table } from '../report.ts'
import * as servers from '../servers.ts'
import { figure } from '../statistics.ts'

const { floor, resWrite, eventwire, eventwireDetach, betterSse, fastifySse, honoStream, graphqlSse, orpc, trpc, goBroker } = servers
const LOAD: Load = { mode: 'connect', clients: 10_000, idleMs: 500 }
const MOST_ROUNDS = 3
const BASES = [floor, resWrite, eventwire, eventwireDetach]
const COMPARED = [...BASES, betterSse, fastifySse, honoStream, graphqlSse, orpc, trpc, ...(goBroker ? [goBroker] : [])]

export const suite: Suite = {
  name: 'memory',
  about: 'What a connection that hears nothing costs, and an event in the log.',
  async run(options) {
    return [await connections(options), logTable()]
  },
}

async function connections({ rounds, log, only }: SuiteOptions): Promise<Table> {
  const compared = COMPARED.filter(({ name }) => !only || only.includes(name))
  // Memory differs little from run to run, and opening so many connections takes some servers seconds.
  const cases = compared.map((server) => ({ server, load: LOAD, rounds: BASES.includes(server) ? MOST_ROUNDS : 1 }))
  const results = await interleave(cases, Math.min(MOST_ROUNDS, rounds), log)
  return {
    title: `An idle connection, of ${figure(LOAD.clients)}`,
    note: `Growth of the server's RSS, and CPU time to open it. ${goBroker ? '' : servers.NO_GO}`.trim(),
    columns: ['server', 'bytes', 'CPU to open, µs'],
    rows: compared.map(({ name }) => [
      name,
      figure(results.median(name, `${LOAD.clients}`, ({ rssIdle, rssBefore }) => (rssIdle - rssBefore) / LOAD.clients)),
      figure(results.median(name, `${LOAD.clients}`, ({ cpuUs }) => cpuUs)),
    ]),
  }
}

function logTable(): Table {
  const output = execFileSync(process.execPath, ['--expose-gc', inBench('servers/log-memory.ts')], { encoding: 'utf8' })
  const { events, encodedBytes, bytes } = JSON.parse(output) as { events: number; encodedBytes: number; bytes: number }
  return {
    title: 'An event in the log',
    note: `${figure(events)} events in the log of an emitter: what heap and buffers grew by, after a garbage collection.`,
    columns: ['', 'bytes an event'],
    rows: [
      ['as encoded', figure(encodedBytes / events)],
      ['in memory', figure(bytes / events)],
      ['above the encoded bytes', figure((bytes - encodedBytes) / events)],
    ],
  }
}
