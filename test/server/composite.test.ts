import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { memoryLog } from 'eventwire/server'
import { compositeBytes, cursorsFor, formatComposite, parseComposite, shardsWithin } from '../../src/server/composite.ts'
import { locate } from '../../src/server/cursor.ts'

const MAX = 1_024
const epoch = fc.stringMatching(/^[0-9a-z]{12}$/)
const seq = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const cursor = fc.tuple(epoch, seq).map(([e, s]) => `${e}-${s}`)
const places = fc
  .uniqueArray(fc.tuple(fc.integer({ min: 0, max: 63 }), cursor), { selector: ([shard]) => shard, minLength: 1 })
  .map((found) => found.sort(([a], [b]) => a - b))

test('a cursor of several shards comes back as it was', () => {
  fc.assert(
    fc.property(places, (given) => {
      expect([...parseComposite(formatComposite(given))!]).toEqual(given)
    }),
  )
})

test('a header and an id can carry it', () => {
  fc.assert(
    fc.property(places, (given) => {
      const composite = formatComposite(given)
      expect(composite).toMatch(/^[\w.-]+$/)
      expect(new Headers({ 'last-event-id': composite }).get('last-event-id')).toBe(composite)
    }),
  )
})

test('whatever text comes, it is a cursor as we write them or none', () => {
  const alphabet = fc.stringMatching(/^[0-9a-z._ -]{0,40}$/)
  fc.assert(
    fc.property(fc.oneof(alphabet, fc.string()), (text) => {
      const found = parseComposite(text)
      if (found) expect(formatComposite(found)).toBe(text)
    }),
    { numRuns: 2_000 },
  )
})

test.each([
  '',
  '_',
  'abc-1',
  '0.abc',
  '0.abc-',
  '0.-1',
  '0.abc-01',
  '0.ABC-1',
  '00.abc-1',
  '100.abc-1',
  '-1.abc-1',
  '1.abc-1_0.abc-1',
  '0.abc-1_0.abc-1',
  '0.abc-1_',
  '_0.abc-1',
  '0.abc-1__1.abc-1',
  '0.abc-1,1.abc-1',
  '0.abc-1 _1.abc-1',
  '0.abc-1\n_1.abc-1',
  '0.abc-12345678901234567',
])('%j is none', (text) => expect(parseComposite(text)).toBeUndefined())

test('no cursor takes more bytes than are reckoned with, and as many shards have room as are said to, whichever they are', () => {
  const shards = Array.from({ length: 64 }, () => memoryLog())
  fc.assert(
    fc.property(places, fc.integer({ min: 160, max: 2_200 }), (given, limit) => {
      const wanted = given.map(([shard]) => shard)
      expect(formatComposite(given).length).toBeLessThanOrEqual(compositeBytes(shards, wanted))
      if (wanted.length <= shardsWithin(shards, limit)) expect(compositeBytes(shards, wanted)).toBeLessThanOrEqual(limit)
    }),
  )
  expect(compositeBytes(shards.slice(0, 7), [0, 1, 2, 3, 4, 5, 6])).toBe(237)
  expect([shardsWithin(shards.slice(0, 8), 237), shardsWithin(shards.slice(0, 8), 236)]).toEqual([7, 6])
})

describe('what each shard makes of a cursor', () => {
  const shards = [memoryLog(), memoryLog(), memoryLog()]
  for (const [shard, log] of shards.entries()) for (let i = 0; i <= shard + 3; i++) log.append({ event: 'e', data: '', topic: undefined })
  const ids = shards.map(({ epoch: own }) => `${own}-2`)
  const [zero, one, two] = ids as [string, string, string]
  /** Of each of three shards: where it goes on, and the reason of the gap if there is one. */
  const starts = (given: string | undefined, maxBytes = MAX): unknown[] =>
    cursorsFor(given, shards, [0, 1, 2], maxBytes).map((it, shard) => {
      const { after, resumed, gap } = locate(it, shards[shard]!, { start: 'head', cursorBytes: maxBytes })
      return resumed ? after : (gap ?? 'head')
    })
  const foreign = 'zzzzzzzzzzzz-2'

  test.each<[name: string, cursor: string | undefined, starts: unknown[]]>([
    ['none: each begins at its head', undefined, ['head', 'head', 'head']],
    ['of all: each goes on at its place', `0.${zero}_1.${one}_2.${two}`, [2, 2, 2]],
    ['of more shards than are listened to', `0.${zero}_1.${one}_2.${two}_3.${foreign}`, [2, 2, 2]],
    ['of some: where the client has not listened before, it begins', `0.${zero}_2.${two}`, [2, 'head', 2]],
    ['of another incarnation of one shard', `0.${zero}_1.${foreign}_2.${two}`, [2, 'epoch', 2]],
    [
      'of some, and of another incarnation of the shard of everyone: what is missing is lost too',
      `0.${foreign}_2.${two}`,
      ['epoch', 'epoch', 2],
    ],
    ['of some, without the shard of everyone, as none was given out', `1.${one}`, ['malformed', 2, 'malformed']],
    ['of one shard: of the others it says nothing', two, ['malformed', 'malformed', 2]],
    ['of the shard of everyone: it may be the id of an event', zero, [2, 'malformed', 'malformed']],
    ['of a log that is none of these', foreign, ['epoch', 'epoch', 'epoch']],
    ['ahead of one shard', `0.${zero}_1.${shards[1]!.epoch}-99_2.${two}`, [2, 'ahead', 2]],
    ['that makes no sense', 'nonsense', ['malformed', 'malformed', 'malformed']],
    ['with a part that makes no sense', `0.${zero}_1.?_2.${two}`, ['malformed', 'malformed', 'malformed']],
  ])('%s', (_name, given, expected) => expect(starts(given)).toEqual(expected))

  test('too long: it makes no sense', () => {
    const whole = `0.${zero}_1.${one}_2.${two}`
    expect([starts(whole, whole.length), starts(whole, whole.length - 1)]).toEqual([
      [2, 2, 2],
      ['malformed', 'malformed', 'malformed'],
    ])
  })
})
