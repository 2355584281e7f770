import { newEpoch } from './cursor.ts'
import { milliseconds, wholeNumber, type Duration } from './duration.ts'
import type { Log, LogRecord } from './log.ts'
import { checkMembers, type Members } from './members.ts'
import { RingLog, type RingBounds } from './ring-log.ts'

/** Bounds of a log. All hold at once: what exceeds any of them is evicted, oldest first, once it was handed to those who keep up. */
export interface HistoryOptions {
  /** Most events held. 0 keeps none, so that nothing can be resumed. Default: 10,000. */
  events?: number | undefined
  /** Most bytes of encoded events held. Default: 64 MiB. */
  bytes?: number | undefined
  /** Longest an event is held, in ms or as `'10m'`. Default: Infinity. */
  age?: Duration | undefined
}

const HISTORY: Members<HistoryOptions> = { events: 'value', bytes: 'value', age: 'value' }

/** The log of one process, in memory. */
export interface MemoryLog extends Log {
  append(record: LogRecord): string
  /** Forgets every event and begins a new epoch. Every connection hears a `$gap` with reason `epoch`. */
  clear(): void
}

/**
 * Makes a log in memory: a ring buffer with an index by topic. It ends with the process, and a client that comes back
 * to another process hears a `$gap` with reason `epoch`.
 *
 * @throws EventwireError `invalid-option` for a bound that is no number from 0.
 */
export function memoryLog(options: HistoryOptions = {}): MemoryLog {
  return new RingLog(settleHistory(options), newEpoch())
}

/** The bounds with their defaults. Throws as {@link memoryLog} does. */
export function settleHistory(options: HistoryOptions = {}): RingBounds {
  checkMembers('history', options, HISTORY)
  return {
    events: wholeNumber('history.events', options.events ?? 10_000, 0),
    bytes: wholeNumber('history.bytes', options.bytes ?? 64 << 20, 0),
    age: milliseconds('history.age', options.age ?? Infinity),
  }
}
