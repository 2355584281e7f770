import type { EventwireError } from '../errors.ts'
import type { Topics } from './topics.ts'

/** An event on its way into a log: validated and serialised. */
export interface LogRecord {
  readonly event: string
  readonly data: string
  /** Who hears it; `undefined` is everyone. */
  readonly topic: string | undefined
  /** It replaces earlier events of the same name, topic and key, for those who could not keep up; `undefined` replaces none. */
  readonly key?: string | undefined
}

/** Which events to read. */
export interface LogRange {
  /** Those that follow this `seq` … */
  readonly after: number
  /** … to this one. Default: the head. */
  readonly to?: number
  /** Until they add up to so many bytes. */
  readonly bytes: number
  /** Whether to leave out events that a newer one of the same name, topic and key replaces. */
  readonly latest?: boolean
}

/** Events of a log as they go to the socket: encoded once, one block behind the other. */
export interface LogPage {
  /** Their blocks, `id:` lines included. Shared: never write to it. Empty when all were left out. */
  readonly bytes: Uint8Array
  /** `seq` of the last event, left out or not. */
  readonly last: number
  /** Whether events were left out. */
  readonly incomplete: boolean
  /** Whether the last one was, or is of no topic asked for: then `bytes` does not end with its id. */
  readonly lastLeftOut: boolean
}

/** Who is told of what happens to a log. */
export interface LogListener {
  /** What follows this `seq` is not evicted yet, whatever the bounds of the log: it has still to be read or picked, to be handed to those who listen. */
  readonly handed: number
  /** An event is here, as the head, so many bytes long. Called once for each, in order of `seq`, before anything is evicted. */
  onAppend(seq: number, topic: string | undefined, bytes: number): void
  /** The log is about to go on elsewhere, without what would have come next: what is in it can be read for the last time. */
  beforeReset(): void
  /** It goes on: in a new epoch, where no cursor of the old one has a meaning; or in the same, behind events that are lost. */
  onReset(): void
  /** Something is wrong with where the log comes from. It is not to be told again before it was well. */
  onFault(error: EventwireError): void
}

/**
 * Ordered, bounded history of one emitter; or of many, where it is shared. Then the events that others append come in too, and each
 * is here only once it has come back.
 */
export interface Log {
  /**
   * Identifies this incarnation of the log, so that a cursor of an earlier one is recognised. 1 to 128 characters of `0-9a-z`; `''` while
   * that is not known yet: until then requests are answered with 503.
   */
  readonly epoch: string
  /** `seq` of the newest event that is here; 0 before the first. */
  readonly head: number
  /** `seq` of the oldest event that can be had, as far as is known; `head + 1` when there is none. */
  readonly oldest: number
  /** `seq` of the oldest event in memory, from where `read`, `pick` and `count` know them; `head + 1` when none is. */
  readonly held: number
  /** Bytes of the encoded events in memory. */
  readonly bytes: number
  /**
   * Appends an event, and gives its id, `<epoch>-<seq>`: 1 for the first of an epoch, and no number is left out. Events are appended in the
   * order of the calls. Fails with `too-large` or `invalid-message`, at once, and then appends nothing; with `log-unavailable` when it is not known to be appended.
   */
  append(record: LogRecord): string | Promise<string>
  /** How many events of `topics` follow `after`; of those before `held`, only for `'*'`. */
  count(after: number, topics: Topics): number
  /** The events of `topics` in a range in memory, oldest first: one at least, or `undefined` when there is none. */
  read(range: LogRange, topics: Topics): LogPage | undefined
  /**
   * The events of `topics` that follow `after` and lie before `held`: some of them, or none and how far that goes. `undefined` when what follows
   * `after` is not to be had any more: then `oldest` says so. Waits while they are out of reach. Only for a log that has more than is in memory.
   */
  fetch?(after: number, topics: Topics): Promise<LogPage | undefined>
  /** Some events that are all in memory, by `seq`, ascending: the first of them at least, and more until they add up to so many bytes. */
  pick(seqs: readonly number[], bytes: number): LogPage
  /**
   * Resolves once everything is here that had been appended by anyone before the call, and the epoch is known. Rejects with `log-unavailable`. Only for a log that is shared:
   * a cursor that is ahead of it, or of an epoch that it does not know, may be one of those.
   */
  sync?(): Promise<void>
  /** Takes the one listener: the emitter that owns the log. Gives a function that lets go of it, and with it of all that the log holds open; to call it again does nothing. Throws `invalid-option` when another holds it. */
  listen(listener: LogListener): () => void
}
