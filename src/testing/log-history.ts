import type { Topics } from '../server/topics.ts'
import { holds, same } from './log-clauses.ts'
import type { Owner } from './log-owner.ts'
import { seqsOf } from './log-page.ts'
import { heard, mixed, span, type Cases } from './log-trial.ts'

/** What it keeps, and what it lets go of. */
export const HISTORY: Cases = {
  'what was not handed yet is kept, whatever the bounds': async (trial) => {
    const owner = await trial.create()
    const { many } = trial
    await owner.appendAll(mixed(many))
    same('kept', 'held, while nothing was handed', owner.log.held, 1)
    same('kept', 'the numbers that are read', owner.read('*'), span(1, many))
    const half = Math.floor(many / 2)
    owner.hand(half)
    await owner.appendAll([{}])
    holds('kept', `held of at most ${half + 1}, where ${half} was handed`, owner.log.held <= half + 1, owner.log.held)
    same('kept', `the numbers that are read behind ${half}`, owner.read('*', { after: half }), span(half + 1, many + 1))
    same('kept', `those that are picked there`, pick(owner, [half + 1, many]), [half + 1, many])
  },

  'what was handed is evicted, oldest first, when it exceeds the bounds': async (trial) => {
    const owner = await trial.create()
    const records = mixed(trial.many)
    owner.follow()
    let before = owner.log.held
    for (const record of records) {
      await owner.append(record)
      const { held, head } = owner.log
      holds('eviction', `held between ${before} and ${head + 1}`, held >= before && held <= head + 1, held)
      before = held
    }
    await owner.reach(records.length)
    const { events } = trial.rules
    const inMemory = owner.log.head - owner.log.held + 1
    if (events !== undefined) holds('eviction', `at most ${events} events in memory`, inMemory <= events, inMemory)
    for (const topics of ['*', [], ['A']] as const) sees(owner, topics, heard(records, topics))
  },

  'what is had, and what is held, are as many as are read': async (trial) => {
    const owner = await trial.create()
    owner.follow()
    await owner.appendAll(mixed(trial.many))
    const { log } = owner
    // An event may become too old between two looks at the log.
    const [first, bytes, oldest, held] = [log.held, log.bytes, log.oldest, log.held]
    holds('eviction', `oldest between 1 and held, ${held}`, oldest >= 1 && oldest <= held, oldest)
    if (first !== held) return
    const size = owner.told.filter(({ seq }) => seq >= held).reduce((sum, told) => sum + told.bytes, 0)
    same('eviction', `bytes, where ${held} is the oldest in memory`, bytes, size)
    if (!log.fetch) same('eviction', 'oldest of a log without fetch', oldest, held)
  },

  'what lies before the events in memory is fetched, page by page': async (trial) => {
    const owner = await trial.create()
    if (!owner.log.fetch) return
    owner.follow()
    const records = mixed(trial.many)
    await owner.appendAll(records)
    for (const topics of ['*', [], ['A'], ['A', 'B'], ['nobody']] as const) {
      for (const skipped of [0, 1, 7]) {
        const after = Math.min(owner.log.oldest - 1 + skipped, owner.log.head)
        const expected = heard(records, topics).filter((seq) => seq > after)
        same('fetch', `all numbers for ${JSON.stringify(topics)} behind ${after}`, await fetchAndRead(owner, after, topics), expected)
      }
    }
  },

  'what is not to be had any more is not fetched': async (trial) => {
    const owner = await trial.create()
    owner.follow()
    await owner.appendAll(mixed(trial.many))
    const { log } = owner
    if (log.oldest === 1) return
    const page = await owner.answer(log.fetch?.(0, '*'), 'fetch', 'fetch')
    same('fetch', `what is fetched behind 0, where oldest is ${log.oldest}`, page, undefined)
  },
}

/** Reads to the head from behind a place: what is not in memory is fetched first. */
export async function fetchAndRead(owner: Owner, from: number, topics: Topics): Promise<number[]> {
  const { log } = owner
  const found: number[] = []
  let after = from
  while (log.fetch && after < log.held - 1) {
    const page = await owner.answer(log.fetch(after, topics), 'fetch', 'fetch')
    if (!page) {
      holds('fetch', `a page, where oldest is ${log.oldest} and ${after + 1} is to follow`, log.oldest > after + 1, page)
      after = log.oldest - 1
      continue
    }
    found.push(...seqsOf(page, after, log.epoch, owner.appended))
    same('fetch', 'incomplete of a page that was fetched', page.incomplete, false)
    holds('fetch', `a page that ends before held, ${log.held}`, page.last < log.held, page.last)
    after = page.last
  }
  return found.concat(owner.read(topics, { after }))
}

/** Looks from the beginning at what is in memory: of `all`, what has not been evicted. */
function sees(owner: Owner, topics: Topics, all: readonly number[]): void {
  const { log } = owner
  // An event may become too old between two looks at the log.
  const [first, seqs, count, held] = [log.held, owner.read(topics), log.count(log.held - 1, topics), log.held]
  const expected = all.filter((seq) => seq >= held)
  holds('eviction', `numbers from held, ${held}`, (seqs[0] ?? held) >= first, seqs[0])
  if (first !== held) return
  same('eviction', `the numbers that are read for ${JSON.stringify(topics)}, where held is ${held}`, seqs, expected)
  same('count', `count(${held - 1}, ${JSON.stringify(topics)})`, count, expected.length)
}

function pick(owner: Owner, seqs: readonly number[]): number[] {
  return seqsOf(owner.log.pick(seqs, Infinity), 0, owner.log.epoch, owner.appended)
}
