import { holds, same } from './log-clauses.ts'
import { fetchAndRead } from './log-history.ts'
import type { Owner } from './log-owner.ts'
import { seqOf } from './log-page.ts'
import { heard, mixed, span, type Cases, type Trial } from './log-trial.ts'

/** What two logs on one store have in common. */
export const SHARED: Cases = {
  'what one node appends, the others tell of': async (trial) => {
    const [one, two] = await pair(trial)
    same('several', 'the epoch of the second', two.log.epoch, one.log.epoch)
    const records = mixed(12)
    for (const [i, record] of records.entries()) await (i % 2 ? one : two).append(record)
    await reach([one, two], records.length)
    for (const owner of [one, two]) {
      const topics = records.map(({ topic }, i) => ({ seq: i + 1, topic }))
      same(
        'several',
        'the numbers and topics that were told',
        owner.told.map(({ seq, topic }) => ({ seq, topic })),
        topics,
      )
      for (const wanted of ['*', [], ['A']] as const) {
        same('several', `the numbers for ${JSON.stringify(wanted)}`, owner.read(wanted), heard(records, wanted))
      }
    }
  },

  'what nodes append at the same time has one order, without holes, in which each keeps its own': async (trial) => {
    const owners = await pair(trial)
    const ids = await Promise.all(owners.map((owner) => Promise.all(mixed(100).map((record) => owner.append(record)))))
    await reach(owners, 200)
    const seqs = ids.map((own) => own.map((id) => seqOf(id, owners[0].log.epoch)))
    for (const own of seqs)
      same(
        'order',
        'the numbers that one node was given',
        own,
        own.toSorted((a, b) => a - b),
      )
    same(
      'several',
      'all numbers that were given',
      seqs.flat().sort((a, b) => a - b),
      span(1, 200),
    )
    for (const owner of owners) same('several', 'the numbers that are read', owner.read('*'), span(1, 200))
    same('several', 'what the second was told', owners[1].told, owners[0].told)
  },

  'a node that comes later has what was before, fetched or read': async (trial) => {
    const [early, late] = await trial.share()
    const one = await trial.own(early)
    const records = mixed(trial.many)
    await one.appendAll(records)
    const two = await trial.own(late)
    same('several', 'the epoch of the second', two.log.epoch, one.log.epoch)
    same('sync', 'head of the second, after sync', two.log.head, records.length)
    await two.append({ data: 'later' })
    await reach([one, two], records.length + 1)
    const after = two.log.oldest - 1
    for (const topics of ['*', ['A']] as const) {
      const expected = heard([...records, { event: '', data: '', topic: undefined }], topics).filter((seq) => seq > after)
      same('several', `all numbers for ${JSON.stringify(topics)} behind ${after}`, await fetchAndRead(two, after, topics), expected)
    }
    if (one.log.oldest === 1) same('several', 'the oldest event that the second can give', two.log.oldest, 1)
  },

  'what one node was told is appended is here on the others after sync': async (trial) => {
    const [one, two] = await pair(trial)
    for (const seq of span(1, 5)) {
      await one.append()
      await two.answer(two.log.sync?.(), 'sync', 'sync')
      holds('sync', `head of ${seq} or more`, two.log.head >= seq, two.log.head)
    }
    two.check()
  },

  'a newer event of a key replaces that of another node': async (trial) => {
    const [one, two] = await pair(trial)
    await one.append({ event: 'price', topic: 'A', key: 'k' })
    await two.append({ event: 'price', topic: 'A', key: 'k' })
    await reach([one, two], 2)
    for (const owner of [one, two]) same('latest', 'the newest that is read', owner.read('*', { latest: true }), [2])
  },
}

async function pair(trial: Trial): Promise<readonly [Owner, Owner]> {
  const [one, two] = await trial.share()
  return [await trial.own(one), await trial.own(two)]
}

async function reach(owners: readonly Owner[], seq: number): Promise<void> {
  for (const owner of owners) await owner.reach(seq)
}
