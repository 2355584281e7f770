import { interleave, type Case, type Results } from '../compare.ts'
import type { Load, Server } from '../measure.ts'
import type { Suite } from '../report.ts'
import { betterSse, eventwire, fastifySse, honoStream, resWrite, WEB } from '../servers.ts'
import { figure } from '../statistics.ts'

const CLIENTS = 10
/** What is broadcast, that is what each client is sent. */
const BYTES = 200e6
const EVENT_BYTES = 32 << 10
/** A short log, whose own memory does not hide what is looked for. */
const LOG_BYTES = 4 << 20

const COMPARED: readonly Server[] = [
  eventwire,
  ...WEB.map((runtime) => runtime.eventwire),
  resWrite,
  ...WEB.map((runtime) => runtime.plain),
  betterSse,
  fastifySse,
  honoStream,
]

function load(stalled: number): Load {
  const reading = CLIENTS - stalled
  return { mode: 'flat', clients: CLIENTS, stalled, burst: 1, window: 16, seconds: 90, warmUp: 0, maxBytes: BYTES * reading }
}

export const suite: Suite = {
  name: 'stalled',
  about: 'One of 10 clients never reads while 200 MB are broadcast: what the memory of the server grows by because of it.',
  async run({ log, only }) {
    const compared = COMPARED.filter(({ name }) => !only || only.includes(name)).map(weighed)
    const cases: Case[] = compared.flatMap((server) => [0, 1].map((stalled) => ({ server, load: load(stalled) })))
    const results = await interleave(cases, 1, log, ({ stalled }) => `${stalled}`)
    return [
      {
        title: 'A client that never reads',
        note:
          `One run each, events of ${EVENT_BYTES >> 10} KiB. The highest RSS in MB, where all read and where one does not; and the growth of what is in use ` +
          `after a garbage collection, heap and buffers, as the runtime counts them. The log of eventwire has ${LOG_BYTES >> 20} MiB.`,
        columns: ['server', 'RSS, all read', 'RSS, one does not', 'in use because of it'],
        rows: compared.map(({ name }) => rowOf(results, name)),
      },
    ]
  },
}

function weighed(server: Server): Server {
  return { ...server, options: { noteBytes: EVENT_BYTES, logBytes: LOG_BYTES, weigh: true } }
}

function rowOf(results: Results, name: string): string[] {
  const megabytes = (stalled: 0 | 1, figureOf: 'rssMax' | 'heldBytes'): number =>
    results.median(name, `${stalled}`, (one) => one[figureOf] / 1e6)
  const growth = megabytes(1, 'heldBytes') - megabytes(0, 'heldBytes')
  return [name, figure(megabytes(0, 'rssMax')), figure(megabytes(1, 'rssMax')), figure(growth)]
}
