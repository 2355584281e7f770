import { holds, same } from './log-clauses.ts'
import { fetchAndRead } from './log-history.ts'
import { Owner } from './log-owner.ts'
import { seqOf } from './log-page.ts'
import { codeOf, mixed, span, type Cases } from './log-trial.ts'

/** How it belongs to somebody. */
export const LISTEN: Cases = {
  'a log has one listener at a time': async (trial) => {
    const owner = await trial.create()
    const refused = await codeOf(() => new Owner(owner.log, owner.appended, owner.patience))
    same('listen', 'the code of the error for a second listener', refused, 'invalid-option')
    same('listen', 'the numbers of what is appended then', await owner.appendAll([{}, {}]), [1, 2])
    same('listen', 'how many of them the listener was told of', owner.told.length, 2)
  },

  'a log that was let go of tells nothing, and may be taken by another': async (trial) => {
    const first = await trial.create()
    await first.appendAll(mixed(3))
    first.release()
    const second = await trial.own(first.log)
    same('release', 'the numbers of what is appended to the next owner', await second.appendAll(mixed(2)), [4, 5])
    // Twice is once, and lets go of nobody else.
    first.release()
    await second.appendAll([{}])
    same('release', 'the numbers that the first was told of', first.numbers, [1, 2, 3])
    same('release', 'the numbers that the second was told of', second.numbers, [4, 5, 6])
  },

  'all that was appended is here after sync': async (trial) => {
    const owner = await trial.create()
    if (!owner.log.sync) return
    const id = await Promise.all(mixed(20).map((record) => owner.append(record)))
    await owner.answer(owner.log.sync(), 'sync', 'sync')
    holds('sync', 'head of 20 or more', owner.log.head >= 20, owner.log.head)
    same(
      'sync',
      'the numbers that are read',
      owner.read('*'),
      id.map((it) => seqOf(it, owner.log.epoch)),
    )
  },
}

/** What happens when it is reset. */
export const RESET: Cases = {
  'a log that is reset goes on in a new epoch, and says so before and after': async (trial) => {
    const owner = await trial.create()
    const { log } = owner
    await owner.appendAll(mixed(5))
    const { resets } = owner
    const old = log.epoch
    const before: unknown[] = []
    owner.onBeforeReset = () => before.push({ epoch: log.epoch, seqs: owner.read('*') })
    await trial.rules.reset?.(log)
    const id = await owner.append({ data: 'new' })
    await owner.until(() => owner.resets > resets && log.head > 0, 'reset', 'onReset, and the event that was appended then')
    same('reset', 'epoch and the numbers that are read in beforeReset', before, [{ epoch: old, seqs: span(1, 5) }])
    same('reset', 'how many times onReset was called', owner.resets - resets, 1)
    holds('reset', 'another epoch', log.epoch !== old, log.epoch)
    same('reset', 'the id of the first event of the new epoch', id, `${log.epoch}-1`)
    same('reset', 'the numbers that were told before', owner.numbers.slice(0, 5), span(1, 5))
    // A log that is shared may begin with what is in the store already, and not tell of it.
    same('reset', 'the numbers that are fetched and read', await fetchAndRead(owner, 0, '*'), [1])
  },
}
