import type { LogRecord } from '../server/log.ts'
import type { Topics } from '../server/topics.ts'
import { holds, same } from './log-clauses.ts'
import type { Owner } from './log-owner.ts'
import { seqsOf } from './log-page.ts'
import { heard, mixed, span, type Cases } from './log-trial.ts'

const LISTENERS: readonly Topics[] = ['*', [], ['A'], ['B'], ['A', 'B'], ['nobody'], ['A', 'nobody']]

/** Names that a careless log would take for something else. */
const ODD_TOPICS = ['', '*', 'A', 'a', '__proto__', 'constructor', 'undefined', 'null', 'A,B', 'a\nb', 'é漢👍']

/** What is read and picked. */
export const READ: Cases = {
  'who listens to topics reads their events and those for everyone, and no others': async (trial) => {
    const owner = await trial.create()
    const records = mixed(40)
    await owner.appendAll(records)
    for (const topics of LISTENERS) same('topics', `the numbers for ${show(topics)}`, owner.read(topics), heard(records, topics))
  },

  'a topic may have any name': async (trial) => {
    const owner = await trial.create()
    const records = [undefined, ...ODD_TOPICS].map((topic) => ({ event: 'message', data: topic ?? '', topic }))
    await owner.appendAll(records)
    same(
      'told',
      'the topics that were told',
      owner.told.map(({ topic }) => topic),
      [undefined, ...ODD_TOPICS],
    )
    same('topics', 'the numbers for "*"', owner.read('*'), span(1, records.length))
    for (const topic of ODD_TOPICS) same('topics', `the numbers for ${show([topic])}`, owner.read([topic]), heard(records, [topic]))
  },

  'the events of topics are counted from any place': async (trial) => {
    const owner = await trial.create()
    const records = mixed(20)
    await owner.appendAll(records)
    for (const topics of LISTENERS) {
      for (const after of [0, 1, 7, 19, 20]) {
        const expected = heard(records, topics).filter((seq) => seq > after).length
        same('count', `count(${after}, ${show(topics)}) of 20 events`, owner.log.count(after, topics), expected)
      }
    }
  },

  'a range is read from behind one place to another': async (trial) => {
    const owner = await trial.create()
    const records = mixed(20)
    await owner.appendAll(records)
    for (const topics of LISTENERS) {
      for (const after of [0, 1, 6, 19, 20]) {
        for (const to of [1, 6, 7, 13, 20, 99]) {
          const expected = heard(records, topics).filter((seq) => seq > after && seq <= to)
          same('range', `the numbers for ${show(topics)} from behind ${after} to ${to} of 20`, owner.read(topics, { after, to }), expected)
        }
      }
    }
  },

  'pages end when they are large enough, and adjoin': async (trial) => {
    const owner = await trial.create()
    const records = mixed(60)
    await owner.appendAll(records)
    for (const topics of LISTENERS) {
      for (const bytes of [1, 100, 1_000, Infinity]) {
        const what = `the numbers for ${show(topics)} in pages of ${bytes} bytes`
        same('range', what, owner.read(topics, { bytes }), heard(records, topics))
      }
    }
    same('bytes', 'the numbers of a page that is to have one byte', owner.page({ after: 4, bytes: 1 }, '*')?.seqs, [5])
  },

  'events are picked by their numbers': async (trial) => {
    const owner = await trial.create()
    await owner.appendAll(mixed(20))
    const pick = (seqs: readonly number[], bytes: number): number[] => {
      const page = owner.log.pick(seqs, bytes)
      owner.bounded(page, bytes)
      const picked = seqsOf(page, 0, owner.log.epoch, owner.appended)
      owner.whole(page, picked)
      return picked
    }
    for (const seqs of [[1], [20], [3, 4, 5], [1, 4, 5, 9, 20], span(1, 20)]) {
      const picked = pick(seqs, 1e6)
      same('pick', `the numbers of pick(${show(seqs)})`, picked, seqs)
      same('pick', `the numbers of pick(${show(seqs)}), of one byte`, pick(seqs, 1), seqs.slice(0, 1))
      same('pick', `the numbers of pick(${show(seqs)}), of 150 bytes`, pick(seqs, 150), seqs.slice(0, pick(seqs, 150).length))
    }
  },

  'who wants the newest of each key is told what was left out': async (trial) => {
    const owner = await trial.create()
    const records = keyed()
    await owner.appendAll(records)
    const replaced = replacedIn(records)
    for (const topics of LISTENERS) {
      for (const bytes of [1, 200, Infinity]) {
        const expected = heard(records, topics).filter((seq) => !replaced.has(seq))
        const what = `the newest for ${show(topics)}, in pages of ${bytes} bytes`
        same('latest', what, readLatest(owner, topics, bytes, heard(records, topics), replaced), expected)
        same('latest', `all for ${show(topics)}, where that is not asked for`, owner.read(topics), heard(records, topics))
      }
    }
  },

  'what was handed out never changes': async (trial) => {
    const owner = await trial.create()
    await owner.appendAll(mixed(40))
    const { log } = owner
    const ranges = [
      { after: 0, bytes: Infinity },
      { after: 5, to: 6, bytes: 1 },
      { after: 3, bytes: 1_000, latest: true },
    ]
    const pages = ranges.flatMap((range) => [log.read(range, '*'), log.read(range, ['A'])]).concat(log.pick([2, 3, 7], Infinity))
    const shared = pages.flatMap((page) => (page ? [page.bytes] : []))
    const copies = shared.map((bytes) => bytes.slice())
    owner.follow()
    const padding = 'y'.repeat(2_000)
    await owner.appendAll(mixed(trial.many).map(({ topic }) => ({ topic, data: padding })))
    log.read({ after: log.held - 1, bytes: Infinity }, '*')
    const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)
    for (const [i, bytes] of shared.entries()) same('shared', 'bytes that were handed out before', text(bytes), text(copies[i]!))
  },
}

function show(value: unknown): string {
  return JSON.stringify(value)
}

/** Events with and without keys; of some there is a newer one of the same name, topic and key. */
function keyed(): LogRecord[] {
  const event = { event: 'price', data: 'x'.repeat(40), topic: 'A', key: 'one' }
  const variants: LogRecord[] = [
    event,
    { ...event, key: 'two' },
    { ...event, key: undefined },
    { ...event, topic: 'B' },
    { ...event, topic: undefined },
    { ...event, event: 'halted' },
    { ...event, key: '' },
  ]
  return [...variants, ...variants.slice(0, 5), event, { ...event, key: 'three' }, event]
}

/** The numbers of those that a newer one replaces. */
function replacedIn(records: readonly LogRecord[]): Set<number> {
  const keyOf = ({ event, topic, key }: LogRecord): string => JSON.stringify([event, topic ?? null, key])
  const newest = new Map(records.map((record, i) => [keyOf(record), i]))
  return new Set(records.flatMap((record, i) => (record.key !== undefined && newest.get(keyOf(record)) !== i ? [i + 1] : [])))
}

/** Reads the newest of each key. Fails unless each page says what it left out: of `all`, those that were `replaced`. */
function readLatest(owner: Owner, topics: Topics, bytes: number, all: readonly number[], replaced: ReadonlySet<number>): number[] {
  const found: number[] = []
  for (let after = 0; ;) {
    const read = owner.page({ after, bytes, latest: true }, topics)
    if (!read) {
      holds('latest', `pages to ${all.at(-1)}, the last for ${show(topics)}`, after === (all.at(-1) ?? 0), after)
      return found
    }
    const { seqs, page } = read
    const leftOut = all.filter((seq) => seq > after && seq <= page.last && replaced.has(seq))
    same('latest', `incomplete of the page from behind ${after} to ${page.last} for ${show(topics)}`, page.incomplete, leftOut.length > 0)
    found.push(...seqs)
    after = page.last
  }
}
