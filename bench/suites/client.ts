import { setImmediate as turn } from 'node:timers/promises'
import { large, loads, type Load } from '../inprocess/events.ts'
import { eventwire, parserStream, plain, type Reader } from '../inprocess/readers.ts'
import { fetchOf, prepare, type Cut, type Prepared } from '../inprocess/stream.ts'
import type { Suite, Table } from '../report.ts'
import { figure, median, ratio } from '../statistics.ts'

const CUTS: readonly { readonly name: string; readonly cut: Cut }[] = [
  { name: '64 KB', cut: 65_536 },
  { name: '1.4 KB', cut: 1_400 },
  { name: 'one event', cut: 'event' },
]

/** About how many bytes a measurement reads; and how many events at most. */
const BYTES = 8 << 20
const EVENTS = 40_000

/** Nanoseconds from the bytes of an event to the end of its handler. */
async function time(reader: Reader, { event }: Load, prepared: Prepared): Promise<number> {
  let left = prepared.events
  await turn()
  const start = performance.now()
  await reader.read(fetchOf(prepared), event, () => --left === 0)
  return ((performance.now() - start) * 1e6) / prepared.events
}

/** The times of each reader, in rounds in which each has its turn, after one that does not count. */
async function compare(readers: readonly Reader[], load: Load, prepared: Prepared, rounds: number): Promise<number[][]> {
  const times: number[][] = readers.map(() => [])
  for (let round = -1; round < rounds; round++) {
    for (const [i, reader] of readers.entries()) {
      const took = await time(reader, load, prepared)
      if (round >= 0) times[i]!.push(took)
    }
  }
  return times
}

async function sizes(rounds: number, log: (line: string) => void): Promise<Table> {
  const readers = [plain, eventwire, parserStream]
  const rows: string[][] = []
  for (const load of loads) {
    const events = Math.min(EVENTS, Math.ceil(BYTES / JSON.stringify(load.data).length))
    for (const { name, cut } of CUTS) {
      const [base = [], ...others] = await compare(readers, load, prepare(load, events, cut), rounds)
      rows.push([load.name, name, figure(median(base)), ...others.map((times) => figure(ratio(times, base)))])
      log(rows.at(-1)!.join('  '))
    }
  }
  return {
    title: 'From bytes to a validated handler call',
    note:
      'The plain pipeline is a read loop, TextDecoder, eventsource-parser, JSON.parse, the schema (zod) and a callback; in ns per event. ' +
      'The others as a ratio to it; all but eventwire validate in the handler. The stream is as a server of eventwire sends it.',
    columns: ['event', 'chunks', 'plain, ns', ...readers.slice(1).map(({ name }) => name)],
    rows,
  }
}

async function largest(rounds: number, log: (line: string) => void): Promise<Table> {
  const rows: string[][] = []
  for (const mebibytes of [8, 32]) {
    const load = large(mebibytes)
    const [base = [], ours = []] = await compare([plain, eventwire], load, prepare(load, 1, 1_400), rounds)
    const perMebibyte = (times: readonly number[]): string => figure(median(times) / mebibytes / 1e6)
    rows.push([load.name, perMebibyte(base), perMebibyte(ours), figure(ratio(ours, base))])
    log(rows.at(-1)!.join('  '))
  }
  return {
    title: 'One large event in chunks of 1.4 KB',
    note: 'In ms per MiB: the same in both rows where the cost is linear.',
    columns: ['event', 'plain, ms', 'eventwire, ms', 'ratio'],
    rows,
  }
}

export const suite: Suite = {
  name: 'client',
  about: 'The subscriber from the bytes of a response to a validated handler call, against the same parts put together by hand.',
  run: async ({ rounds, log }) => [await sizes(rounds, log), await largest(rounds, log)],
}
