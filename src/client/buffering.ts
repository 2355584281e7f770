import { EventwireError } from '../errors.ts'
import type { Attempt } from './connection.ts'

/** Within how much of its opening, in ms, a stream that is held back brings all that it will ever bring. */
const AT_ONCE = 1_000

/** How many short streams without an event are no accident. */
const SUSPICIOUS = 3

/**
 * Notices that something on the way, such as a proxy, holds streams back: three in a row that end at once without an event,
 * or one that falls silent right after its beginning. Reports it once, until a stream does better.
 */
export function createBufferingWatch(report: (error: EventwireError) => void): (attempt: Attempt, error: EventwireError) => void {
  let count = 0
  return ({ opened, heard, heartbeat, healthy, slept, left }, { code }) => {
    if (!opened || left) return
    const late = code === 'timeout' && !slept
    const atOnce = Math.min(AT_ONCE, heartbeat / 2)
    const mute = !healthy && heard - opened < atOnce && (late || performance.now() - opened < AT_ONCE)
    const before = count
    count = mute ? count + (late ? SUSPICIOUS : 1) : 0
    if (before >= SUSPICIOUS || count < SUSPICIOUS) return
    report(
      new EventwireError(
        'buffering',
        'The stream opens and brings no events: a proxy may be buffering it, or cutting it off. Turn its buffering off.',
      ),
    )
  }
}
