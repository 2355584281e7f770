import type { Awaitable } from '../awaitable.ts'
import { EventwireError } from '../errors.ts'
import type { Log } from '../server/log.ts'
import { APPEND } from './log-append.ts'
import { HISTORY } from './log-history.ts'
import { LISTEN, RESET } from './log-listen.ts'
import { READ } from './log-read.ts'
import { SHARED } from './log-shared.ts'
import { Trial } from './log-trial.ts'

/** Registers a test: the `test` of vitest, jest, `node:test`, bun or whatever else takes a name and a function that may reject. */
export type RegisterTest = (name: string, run: () => Promise<void>) => unknown

/** What a log cannot tell of itself. */
export interface TestLogOptions {
  /** Ends a log, once its case is over and its listener was let go of. Default: nothing is left to end. */
  release?: ((log: Log) => unknown) | undefined
  /**
   * How many events the logs hold in memory at most. Then it is checked that they hold no more. Keep it small: some cases append 60 more than these.
   * Default: not known, and a log that never evicts passes.
   */
  events?: number | undefined
  /** Makes a log go on in a new epoch: `(log) => log.clear()`, or what empties its store. Default: that is not tested. */
  reset?: ((log: Log) => unknown) | undefined
  /** Makes two logs on one fresh store, which keeps all that is appended, some 300 events. Default: a log is not shared, and that is not tested. */
  shared?: (() => Awaitable<readonly [Log, Log]>) | undefined
  /** How long a log may take to answer, and to tell of an event, in ms. Default: 3,000, which is less than most runners give a test. */
  patience?: number | undefined
}

/**
 * Registers the tests that any log has to pass, one for each thing that an emitter relies on.
 *
 * ```ts
 * testLog(test, () => memoryLog({ events: 100 }), { events: 100 })
 * ```
 *
 * @param createLog Makes a log with nothing in it, each time another. What is in memory may be bounded as you like; a store behind it is to keep
 * some 300 events, or more where `events` is more.
 * @throws EventwireError `invalid-option` for a bound or a time that is no number from 0.
 */
export function testLog(test: RegisterTest, createLog: () => Awaitable<Log>, options: TestLogOptions = {}): void {
  const { events, reset, shared, release, patience = 3_000 } = options
  for (const [name, value] of Object.entries({ events, patience })) {
    if (value === undefined || value >= 0) continue
    throw new EventwireError('invalid-option', `testLog: ${name} is ${value}; give a number from 0.`)
  }
  const rules = { create: createLog, share: shared, release, reset, events, patience }
  const cases = { ...APPEND, ...READ, ...HISTORY, ...LISTEN, ...(reset && RESET), ...(shared && SHARED) }
  for (const [name, run] of Object.entries(cases)) test(name, () => new Trial(rules).run(run))
}
