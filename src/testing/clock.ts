import { EventwireError } from '../errors.ts'
import { milliseconds, type Duration } from '../server/duration.ts'
import { calm, followTimers, hasTimers } from './calm.ts'
import { openStreams } from './link.ts'
import { Timers } from './timers.ts'

/** Options of {@link installClock}. */
export interface ClockOptions {
  /** The date at which it stands first. Default: now. */
  now?: Date | number | undefined
}

/** A clock that stands still until it is moved. */
export interface Clock {
  /**
   * Lets time pass: heartbeats, waits before another attempt, timeouts, `maxAge` and the application's own timers go off one after the other, and between
   * them everything gets as far as it can. Resolves when all of that has happened.
   *
   * @param duration In ms, or as `'30s'`. With 0, what is under way gets as far as it can.
   * @throws EventwireError `invalid-option` for a duration that is none, or after `uninstall`; `timeout` when there is no end to what happens at one time. What a timer throws.
   */
  advance(duration: Duration): Promise<void>
  /** Brings the real time back; timers that wait never go off. To call it again does nothing. */
  uninstall(): void
}

/** What is to be put back. */
type Undo = () => void

/**
 * Stops time, until `uninstall`: puts `setTimeout`, `setInterval`, what clears them, `Date` and `performance.now` of its own in the place of the global ones. All
 * else stays real: promises, `queueMicrotask`, `setImmediate`, the network. Install it before anything connects, whose timers would be real ones.
 *
 * @throws EventwireError `invalid-option` when time has been stopped already, by a clock or the runner's fake timers, or when a stream of a test server is open.
 */
export function installClock({ now = Date.now() }: ClockOptions = {}): Clock {
  refuse()
  const date = Number(now)
  if (!Number.isFinite(date)) throw new EventwireError('invalid-option', 'installClock: now is no time; give a Date, or ms since 1970.')
  // Whole, so that three times 15 s are 45 s.
  const begun = Math.ceil(performance.now())
  const timers = new Timers(begun)
  let installed = true
  const undo = [
    ...replaceTimers(timers),
    replaceDate(() => Math.floor(date + timers.now - begun)),
    replace(performance, 'now', () => timers.now),
  ]
  followTimers(timers)

  return {
    async advance(duration) {
      if (!installed) throw new EventwireError('invalid-option', 'This clock was uninstalled. Install another with installClock().')
      const end = timers.now + milliseconds('advance', duration)
      if (end === Infinity) throw new EventwireError('invalid-option', 'advance: there is always another heartbeat. Give a time that ends.')
      await calm()
      while (installed && timers.due !== undefined && timers.due <= end) {
        timers.now = Math.max(timers.now, timers.due)
        await calm()
      }
      timers.now = Math.max(timers.now, end)
      await calm()
    },
    uninstall() {
      if (!installed) return
      installed = false
      followTimers(undefined)
      for (const restore of undo) restore()
    },
  }
}

function refuse(): void {
  if (hasTimers()) throw new EventwireError('invalid-option', 'A clock is installed already: uninstall() it first, after each test.')
  // That is how the fake timers of vitest and jest are known.
  if ('clock' in globalThis.setTimeout) {
    throw new EventwireError(
      'invalid-option',
      "The fake timers of the test's runner are on. Use those alone, or turn them off: vi.useRealTimers().",
    )
  }
  if (openStreams() > 0) {
    throw new EventwireError(
      'invalid-option',
      'A stream of a test server is open, and its timers are real. Install the clock before it connects, and close() the servers of earlier tests.',
    )
  }
}

function replaceTimers(timers: Timers): Undo[] {
  const { clearTimeout, clearInterval } = globalThis
  const set =
    (repeats: boolean) =>
    (run: (...args: unknown[]) => unknown, delay?: unknown, ...args: unknown[]): unknown =>
      timers.add(() => run(...args), delay, repeats)
  // One that was set before is a real one.
  const clear =
    (really: (timer: never) => void) =>
    (timer: unknown): void => {
      if (!timers.remove(timer)) really(timer as never)
    }
  return [
    replace(globalThis, 'setTimeout', set(false)),
    replace(globalThis, 'setInterval', set(true)),
    replace(globalThis, 'clearTimeout', clear(clearTimeout)),
    replace(globalThis, 'clearInterval', clear(clearInterval)),
  ]
}

/** The real dates, but for the one that it is now. */
function replaceDate(now: () => number): Undo {
  return replace(
    globalThis,
    'Date',
    new Proxy(Date, {
      construct: (target, args: [number], newTarget) => Reflect.construct(target, args.length > 0 ? args : [now()], newTarget) as object,
      apply: (target) => new target(now()).toString(),
      get: (target, name, receiver) => (name === 'now' ? now : (Reflect.get(target, name, receiver) as unknown)),
    }),
  )
}

function replace(target: object, name: string, value: unknown): Undo {
  const before = Object.getOwnPropertyDescriptor(target, name)
  Object.defineProperty(target, name, { value, configurable: true, writable: true, enumerable: before?.enumerable ?? false })
  return () => {
    if (before) Object.defineProperty(target, name, before)
    else Reflect.deleteProperty(target, name)
  }
}
