import { MAX_DELAY } from '../wire/decode.ts'

/** The shortest wait before another attempt, in ms: whatever a server asks for, it is not hammered. */
const FLOOR = 250

/** What the wait before an attempt depends on. */
export interface BackoffInput {
  /** How many attempts have failed in a row, from 1. */
  readonly failures: number
  /** The least to wait: the server's `retry:` where it sent one. In ms. */
  readonly base: number
  /** The most that doubling leads to, in ms. */
  readonly max: number
  /** What the server asked for by `Retry-After`, in ms; none when it did not. */
  readonly retryAfter?: number | undefined
  /** A number from 0 up to 1. */
  readonly random: number
}

/**
 * The wait before the next attempt, in ms: spread at random between `base` and its `failures`-th doubling, so that the
 * clients of a server that went away do not come back at once.
 */
export function backoff({ failures, base, max, retryAfter = 0, random }: BackoffInput): number {
  const step = Math.min(MAX_DELAY, Math.max(FLOOR, base))
  const least = Math.min(MAX_DELAY, Math.max(step, retryAfter))
  const most = Math.min(MAX_DELAY, Math.max(least + step, Math.min(max, step * 2 ** failures)))
  return Math.round(least + random * (most - least))
}
