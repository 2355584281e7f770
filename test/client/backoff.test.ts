import fc from 'fast-check'
import { expect, test } from 'vitest'
import { backoff } from '../../src/client/backoff.ts'

const DEFAULTS = { failures: 1, base: 1_000, max: 30_000, retryAfter: 0, random: 0 }

test('waits at least the base, and at most its doubling for each failure', () => {
  const range = (failures: number): number[] => [0, 1].map((random) => backoff({ ...DEFAULTS, failures, random }))
  expect([1, 2, 3, 4, 5, 6, 50, 2_000].map(range)).toEqual([
    [1_000, 2_000],
    [1_000, 4_000],
    [1_000, 8_000],
    [1_000, 16_000],
    [1_000, 30_000],
    [1_000, 30_000],
    [1_000, 30_000],
    [1_000, 30_000],
  ])
})

test('a server that asks for no delay is not hammered', () => {
  expect(backoff({ ...DEFAULTS, base: 0 })).toBe(250)
  expect(backoff({ ...DEFAULTS, base: 0, failures: 5, random: 1 })).toBe(8_000)
})

test('a server that asks for a long delay gets it, beyond the maximum of the doubling', () => {
  expect(backoff({ ...DEFAULTS, base: 120_000 })).toBe(120_000)
  expect(backoff({ ...DEFAULTS, retryAfter: 60_000, random: 0.5 })).toBe(60_500)
})

test('is always a delay that a timer can keep', () => {
  const ms = fc.oneof(fc.nat(), fc.constantFrom(Infinity, Number.MAX_SAFE_INTEGER, 1e308))
  fc.assert(
    fc.property(
      ms,
      ms,
      ms,
      fc.integer({ min: 1, max: 5_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (base, max, retryAfter, failures, random) => {
        const delay = backoff({ base, max, retryAfter, failures, random })
        expect(delay).toBeGreaterThanOrEqual(250)
        expect(delay).toBeLessThanOrEqual(2 ** 31 - 1)
      },
    ),
  )
})
