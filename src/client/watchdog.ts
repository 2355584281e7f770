import { MAX_DELAY } from '../wire/decode.ts'

/** Notices a stream on which no byte arrives. */
export interface Watchdog {
  /** From now on, silence of more than `limit` ms is a fault; Infinity: never. */
  arm(limit: number): void
  /** The wait for the next bytes begins, now: gives the time. */
  waiting(): number
  /** Nobody reads until then: that time does not count. */
  idle(): void
  stop(): void
}

/** A timer that fires this late was held up by a machine that slept: the stream gets another second, in ms. */
const LATE = 1_000

/** Makes a watchdog that calls `onSilence` once, and says whether the machine slept. A single timer looks at the clock; bytes only leave their time. */
export function createWatchdog(onSilence: (limit: number, slept: boolean) => void): Watchdog {
  let limit = Infinity
  let since: number | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  const stop = (): void => clearTimeout(timer)
  const check = (after: number, slept = false): void => {
    stop()
    if (after === Infinity) return
    const due = performance.now() + after
    timer = setTimeout(
      () => {
        const now = performance.now()
        const left = since === undefined ? limit : since + limit - now
        if (left > 0) check(left)
        else if (now - due > LATE) check(LATE, true)
        else onSilence(limit, slept)
      },
      Math.min(after, MAX_DELAY),
    )
  }

  return {
    arm(next) {
      if (next !== limit) check((limit = next))
    },
    waiting: () => (since = performance.now()),
    idle: () => void (since = undefined),
    stop,
  }
}
