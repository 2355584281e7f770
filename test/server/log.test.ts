import fc from 'fast-check'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { memoryLog, type HistoryOptions, type LogPage, type MemoryLog, type Topics } from 'eventwire/server'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

const fill = (log: MemoryLog, count: number, topic?: string): void => {
  for (let i = 0; i < count; i++) log.append({ event: 'message', data: 'x'.repeat(100), topic })
}
const seqsOf = (page: LogPage | undefined): number[] =>
  [...new TextDecoder().decode(page?.bytes).matchAll(/^id: \w+-(\d+)$/gm)].map(([, seq]) => Number(seq))
const seqs = (log: MemoryLog, after: number, topics: Topics, bytes = Infinity): number[] => seqsOf(log.read({ after, bytes }, topics))

test('holds no more events than it may', () => {
  const log = memoryLog({ events: 5 })
  fill(log, 12)
  expect([log.oldest, log.head]).toEqual([8, 12])
  expect(seqs(log, 0, '*')).toEqual([8, 9, 10, 11, 12])
})

test('holds no more bytes than it may', () => {
  const log = memoryLog({ bytes: 1_000 })
  fill(log, 50)
  const held = log.read({ after: 0, bytes: Infinity }, '*')!.bytes.byteLength
  expect(held).toBeLessThanOrEqual(1_000)
  expect(held).toBeGreaterThan(700)
  expect(log.head).toBe(50)
})

test('holds no event longer than it may, though nothing is appended', () => {
  const log = memoryLog({ age: '10m' })
  fill(log, 3)
  vi.advanceTimersByTime(400_000)
  fill(log, 2)
  vi.advanceTimersByTime(400_000)
  expect(log.oldest).toBe(4)
  vi.advanceTimersByTime(400_000)
  expect([log.oldest, log.head]).toEqual([6, 5])
  expect(seqs(log, 0, '*')).toEqual([])
})

test('all bounds hold at once', () => {
  const log = memoryLog({ events: 100, bytes: 2_000, age: 1_000 })
  fill(log, 200)
  expect(log.head - log.oldest).toBeLessThan(20)
  vi.advanceTimersByTime(1_001)
  expect(log.oldest).toBe(201)
})

test('an event larger than the whole log is numbered, and not held', () => {
  const log = memoryLog({ bytes: 50 })
  fill(log, 1)
  expect([log.oldest, log.head]).toEqual([2, 1])
})

test('forgets everything when it is cleared, and has another epoch', () => {
  const log = memoryLog()
  fill(log, 3, 'a')
  const { epoch } = log
  log.clear()
  expect([log.oldest, log.head, log.count(0, ['a'])]).toEqual([1, 0, 0])
  expect(log.epoch).not.toBe(epoch)
})

test('reads in pages that end when they are large enough', () => {
  const log = memoryLog()
  fill(log, 2_000, 'a')
  const read: number[] = []
  let pages = 0
  for (let page = seqs(log, 0, ['a'], 10_000); page.length > 0; page = seqs(log, read.at(-1)!, ['a'], 10_000)) {
    read.push(...page)
    pages++
  }
  expect(read).toEqual(Array.from({ length: 2_000 }, (_, i) => i + 1))
  expect(pages).toBeGreaterThan(20)
})

test('reads and counts what a plain list would, whatever is appended, evicted and asked for', () => {
  const topic = fc.constantFrom(undefined, 'a', 'b', 'c')
  const history: fc.Arbitrary<HistoryOptions> = fc.record({ events: fc.integer({ min: 0, max: 60 }) })
  fc.assert(
    fc.property(
      history,
      fc.array(topic, { maxLength: 150 }),
      fc.subarray(['a', 'b', 'c', 'd']),
      fc.nat(160),
      (options, appended, topics, after) => {
        const log = memoryLog(options)
        for (const name of appended) log.append({ event: 'message', data: '', topic: name })
        const held = appended.map((name, i) => ({ name, seq: i + 1 })).slice(-(options.events ?? 0) || appended.length)
        const plain = (wanted: Topics): number[] =>
          held
            .filter(({ name, seq }) => seq > after && (wanted === '*' || name === undefined || wanted.includes(name)))
            .map(({ seq }) => seq)
        for (const wanted of ['*', topics] as const) {
          expect(seqs(log, after, wanted)).toEqual(plain(wanted))
          expect(log.count(Math.min(after, log.head), wanted)).toBe(plain(wanted).length)
        }
      },
    ),
  )
})

test('an event is superseded by one of the same name, topic and key, and by no other', () => {
  const log = memoryLog()
  const event = { event: 'price', data: '', topic: 'BTC', key: 'a' }
  const appended = [
    event,
    { ...event, event: 'halted' },
    { ...event, topic: undefined },
    { ...event, key: 'b' },
    { ...event, key: undefined },
  ]
  for (const record of appended) log.append(record)
  const latest = (): LogPage => log.read({ after: 0, bytes: Infinity, latest: true }, '*')!
  expect([seqsOf(latest()), latest().incomplete]).toEqual([[1, 2, 3, 4, 5], false])
  log.append(event)
  expect([seqsOf(latest()), latest().incomplete, latest().lastLeftOut]).toEqual([[2, 3, 4, 5, 6], true, false])
  expect(seqs(log, 0, '*')).toEqual([1, 2, 3, 4, 5, 6])
  const old = log.read({ after: 0, to: 1, bytes: Infinity, latest: true }, '*')
  expect(old).toMatchObject({ bytes: new Uint8Array(), last: 1, incomplete: true, lastLeftOut: true })
})
