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
  /** Whether the last one was: then `bytes` does not end with its id. */
  readonly lastLeftOut: boolean
}

/** Who is told of what happens to a log. */
export interface LogListener {
  /** What follows this `seq` is not evicted yet, whatever the bounds of the log: it has still to be read or picked, to be handed to those who listen. */
  readonly handed: number
  /** An event was appended, so many bytes long. Called in order of `seq`, before `append` returns or evicts anything. */
  onAppend(seq: number, topic: string | undefined, bytes: number): void
  /** The log is about to be replaced: what is in it can be read for the last time. */
  onEpochEnd(): void
  /** The log was replaced: it has a new epoch, and no cursor of the old one has a meaning. */
  onEpoch(): void
}

/** Ordered, bounded history of one emitter. */
export interface Log {
  /** Identifies this incarnation of the log, so that a cursor of an earlier one is recognised. 1 to 128 characters of `0-9a-z`. */
  readonly epoch: string
  /** `seq` of the newest event; 0 before the first. */
  readonly head: number
  /** `seq` of the oldest event held; `head + 1` when none is. */
  readonly oldest: number
  /** Bytes of the encoded events held. */
  readonly bytes: number
  /** Appends an event and gives its `seq`: 1 for the first of an epoch, and no number is left out. Throws `too-large` or `invalid-message`, and then appends nothing. */
  append(record: LogRecord): number
  /** How many events of `topics` follow `after`. */
  count(after: number, topics: Topics): number
  /** The events of `topics` in a range, oldest first: one at least, or `undefined` when there is none. */
  read(range: LogRange, topics: Topics): LogPage | undefined
  /** Some events that are all held, by `seq`, ascending: the first of them at least, and more until they add up to so many bytes. */
  pick(seqs: readonly number[], bytes: number): LogPage
  /** Takes the one listener: the emitter that owns the log. Gives a function that lets go of it. Throws `invalid-option` when another holds it. */
  listen(listener: LogListener): () => void
}
