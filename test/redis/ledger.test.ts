import { expect, test } from 'vitest'
import { auditHearing, auditLog, HEARD_WELL, LOGGED_WELL, type HearingFaults, type LogFaults } from './support/ledger.ts'

const GAP = { reason: 'evicted', requested: 'e-1', oldest: '' } as const

test.each<[fault: string, heard: (number | typeof GAP)[], faults: Partial<HearingFaults>]>([
  ['nothing where all is well', [1, 2, 4], {}],
  ['that an event was left out', [1, 4], { lost: ['e-2'] }],
  ['that the last event was left out', [1, 2], { lost: ['e-4'] }],
  ['that an event came twice', [1, 2, 2, 4], { repeated: ['e-2'] }],
  ['that an event came too late', [1, 4, 2], { disordered: ['e-2'] }],
  ['an event of another topic', [1, 2, 3, 4], { foreign: ['e-3'] }],
  ['an event that the log does not have', [1, 2, 9, 4], { foreign: ['e-9'] }],
  ['what was declared lost', [1, GAP, 4], { declared: ['e-2'], gaps: ['evicted'] }],
  ['that something else was lost than was declared', [GAP, 1, 4], { lost: ['e-2'], gaps: ['evicted'] }],
])('the ledger of a subscriber finds %s', (_fault, heard, faults) => {
  const entries = ['red', undefined, 'blue', 'red', 'red'].map((topic, i) => ({ seq: i + 1, topic, text: `text ${i + 1}` }))
  const notes = heard.map((it) => (typeof it === 'number' ? { id: `e-${it}`, text: `text ${it}` } : it))
  expect(auditHearing({ epoch: 'e', entries }, { topics: ['red'], began: 'e-0', notes }, 'e-4')).toEqual({ ...HEARD_WELL, ...faults })
})

test('the ledger of a subscriber finds another text under the same id, and what lies before its beginning', () => {
  const truth = { epoch: 'e', entries: [1, 2].map((seq) => ({ seq, topic: undefined, text: `text ${seq}` })) }
  const account = (began: string, ...notes: [id: string, text: string][]) => ({
    topics: '*' as const,
    began,
    notes: notes.map(([id, text]) => ({ id, text })),
  })
  expect(auditHearing(truth, account('e-1', ['e-2', 'text 1']), 'e-2')).toEqual({ ...HEARD_WELL, foreign: ['e-2'], lost: ['e-2'] })
  expect(auditHearing(truth, account('e-1', ['e-1', 'text 1'], ['e-2', 'text 2']), 'e-2')).toEqual({ ...HEARD_WELL, foreign: ['e-1'] })
  expect(auditHearing(truth, account('f-0', ['e-1', 'text 1'], ['e-2', 'text 2']), 'e-2')).toMatchObject({ foreign: ['f-0'] })
})

/** Of three events that one publisher has published, the second was not confirmed. */
test.each<[fault: string, log: string[], ids: [one: string, three: string], faults: Partial<LogFaults>]>([
  ['nothing where all is well', ['one', 'three'], ['e-1', 'e-2'], {}],
  ['nothing where it has what was not confirmed', ['one', 'two', 'three'], ['e-1', 'e-3'], {}],
  ['nothing where that came late', ['one', 'three', 'two'], ['e-1', 'e-2'], {}],
  ['that what was not confirmed came early', ['two', 'one', 'three'], ['e-2', 'e-3'], { swapped: ['two'] }],
  ['that two have changed places', ['three', 'one'], ['e-2', 'e-1'], { swapped: ['three'] }],
  ['that something confirmed is not there', ['one'], ['e-1', 'e-2'], { missing: ['three, confirmed as e-2'] }],
  ['that something confirmed is elsewhere', ['one', 'two', 'three'], ['e-1', 'e-2'], { missing: ['three, confirmed as e-2'] }],
  ['that something is there twice', ['one', 'three', 'two', 'two'], ['e-1', 'e-2'], { doubled: ['two'] }],
  ['what nobody has published', ['one', 'three', 'four'], ['e-1', 'e-2'], { unknown: ['four'] }],
])('the ledger of a log finds %s', (_fault, log, [one, three], faults) => {
  const entries = log.map((text, i) => ({ seq: i + 1, topic: 'red', text }))
  const chain = Object.entries({ one, two: undefined, three }).map(([text, id]) => ({ text, id, topic: 'red' }))
  expect(auditLog({ epoch: 'e', entries }, [chain])).toEqual({ ...LOGGED_WELL, ...faults })
})

test('the ledger of a log finds a number that was left out, and an event that went to others', () => {
  const entries = [{ seq: 2, topic: 'blue', text: 'one' }]
  const chain = [{ text: 'one', id: 'e-2', topic: undefined }]
  expect(auditLog({ epoch: 'e', entries }, [chain])).toEqual({ ...LOGGED_WELL, hole: ['2'], unknown: ['one'] })
})
