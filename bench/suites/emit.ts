import { setImmediate as turn } from 'node:timers/promises'
import { createEmitter } from '../../dist/server.js'
import { market, tradeAt } from '../inprocess/events.ts'
import type { Suite, Table } from '../report.ts'
import { figure, median, ratio } from '../statistics.ts'

/** How many events a measurement emits; in turns of the loop, as a server does. */
const EVENTS = 40_000
const TURN = 100

/** What becomes of an event of six fields. */
interface Way {
  readonly name: string
  /** Takes it on its way. Gives something of the result, so that no work is left out. */
  make(): (trade: ReturnType<typeof tradeAt>) => unknown
}

const { validate } = market.schemas.trade['~standard']

const serialize = (trade: ReturnType<typeof tradeAt>): string => {
  const result = validate(trade)
  if (result instanceof Promise || result.issues) throw new Error('refused')
  return JSON.stringify(result.value)
}

const floor: Way = { name: 'validate and JSON.stringify', make: () => serialize }

/** The least that whoever promises an id and hands out bytes adds to it: a block of text, its bytes, a promise. */
const bytes: Way = {
  name: 'and the bytes of a block, and a promise',
  make() {
    const encoder = new TextEncoder()
    const block = new Uint8Array(4096)
    let seq = 0
    return (trade) => {
      const id = `ffffffffffff-${++seq}`
      encoder.encodeInto(`id: ${id}\nevent: trade\ndata: ${serialize(trade)}\n\n`, block)
      return Promise.resolve(id)
    }
  },
}

const emitted = (name: string, options: Parameters<typeof createEmitter>[1], topic?: { topic: string }): Way => ({
  name,
  make() {
    const emitter = createEmitter(market, options)
    return (trade) => emitter.emit('trade', trade, topic)
  },
})

const ways: readonly Way[] = [
  floor,
  bytes,
  emitted('emit', {}),
  emitted('emit to a topic', {}, { topic: 'BTC' }),
  emitted('emit, no history', { history: { events: 0 } }),
]

/** Nanoseconds for each event. */
async function time(way: Way): Promise<number> {
  const trades = Array.from({ length: TURN }, (_, i) => tradeAt(i))
  const take = way.make()
  let spent = 0
  for (let done = 0; done < EVENTS; done += TURN) {
    const start = performance.now()
    for (const trade of trades) void take(trade)
    spent += performance.now() - start
    await turn()
  }
  return (spent * 1e6) / EVENTS
}

async function compare(rounds: number, log: (line: string) => void): Promise<Table> {
  const times: number[][] = ways.map(() => [])
  for (let round = -1; round < rounds; round++) {
    for (const [i, way] of ways.entries()) {
      const took = await time(way)
      if (round >= 0) times[i]!.push(took)
    }
    log(`round ${round + 1} of ${rounds}`)
  }
  const [base = []] = times
  return {
    title: 'One event of six fields, nobody connected',
    note: 'The first row is what nobody can do without, the second what anybody adds who gives bytes and a promise; emit does all that, and appends the event to a log of 10,000.',
    columns: ['', 'ns', 'ratio'],
    rows: ways.map(({ name }, i) => [name, figure(median(times[i]!)), figure(ratio(times[i]!, base))]),
  }
}

export const suite: Suite = {
  name: 'emit',
  about: 'What emit costs, against the schema (zod, six fields) and JSON.stringify alone.',
  run: async ({ rounds, log }) => [await compare(rounds, log)],
}
