import { describe, expect, test } from 'vitest'
import { memoryLog, type HistoryOptions, type Log, type MemoryLog } from 'eventwire/server'
import { testLog } from 'eventwire/testing'
import { Store, StoreLog } from './store.ts'

const HISTORIES: readonly HistoryOptions[] = [
  {},
  { events: 0 },
  { events: 1 },
  { events: 25 },
  { bytes: 0 },
  { bytes: 1_000 },
  { age: 0 },
  { age: '10m' },
  { events: 30, bytes: 5_000, age: 1 },
]

describe.each(HISTORIES)('a log in memory, of %o', (history) => {
  testLog(test, () => memoryLog(history), {
    // With fewer, the suite tries what exceeds it.
    ...(history.events !== undefined && { events: history.events }),
    reset: (log) => (log as MemoryLog).clear(),
  })
})

describe.each([0, 1, 10, 1_000])('a log that is shared, with %i events in memory', (events) => {
  testLog(test, () => new StoreLog(new Store(), events), {
    events,
    reset: (log) => (log as StoreLog).store.clear(),
    shared: () => {
      const store = new Store()
      return [new StoreLog(store, events), new StoreLog(store, events)]
    },
  })
})

test('a log whose store has dropped what is old passes too', async () => {
  const dropping = (): Log => {
    const store = new Store()
    const { append } = store
    store.append = (record) => {
      store.dropped = Math.max(0, store.records.length - 40)
      return append.call(store, record)
    }
    return new StoreLog(store, 5)
  }
  const cases = new Map<string, () => Promise<void>>()
  testLog((name, run) => cases.set(name, run), dropping, { events: 5 })
  for (const run of cases.values()) await run()
  expect(cases.size).toBeGreaterThan(20)
})

test('each log is ended when its case is over, also when it fails', async () => {
  const made: Log[] = []
  const ended: Log[] = []
  const create = (): Log => {
    const log = memoryLog()
    made.push(log)
    if (made.length % 2) log.append = () => 'no-id'
    return log
  }
  const cases: (() => Promise<void>)[] = []
  testLog((_, run) => cases.push(run), create, { release: (log) => ended.push(log), patience: 10 })
  const outcomes = await Promise.allSettled(cases.map((run) => run()))
  expect(new Set(outcomes.map(({ status }) => status)).size).toBe(2)
  expect(new Set(ended)).toEqual(new Set(made))
  expect(ended).toHaveLength(made.length)
  // Nobody listens any more.
  for (const log of made) log.listen({ handed: 0, onAppend() {}, beforeReset() {}, onReset() {}, onFault() {} })
})

test('a bound that is none is refused', () => {
  expect(() => testLog(test, () => memoryLog(), { events: -1 })).toThrow('testLog: events is -1; give a number from 0.')
})
