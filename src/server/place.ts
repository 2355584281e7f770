import type { Gap, GapReason, Ready } from '../wire/control.ts'
import type { ConnectionRules } from './connection-request.ts'
import { checkpointBlock, gapAt } from './control.ts'
import { formatCursor, locate } from './cursor.ts'
import type { Log, LogPage } from './log.ts'
import type { Topics } from './topics.ts'

/** Most bytes read from the log at once. */
const PAGE_BYTES = 64 << 10

/** Where a connection begins, and what its client is to be told of that. */
export interface Beginning {
  readonly ready: Ready
  readonly gap: Gap | undefined
  /** Empty when a snapshot comes first. */
  readonly checkpoint: string
}

/** Where a connection stands in the log, and what its client has been told of that. */
export class Place {
  /** It reads on behind this `seq`: nothing for it lies between what it has been sent last and this. */
  seq = 0
  #epoch = ''
  /** The last id that the client has been sent, which the place may be ahead of; -1 when that is not known. */
  #told = -1
  /** It began with the oldest event, and nothing was sent yet: what the log drops before that is no loss. */
  #fresh = false

  constructor(
    readonly log: Log,
    readonly topics: Topics,
  ) {}

  /** The same as the client would say it. */
  get cursor(): string {
    return formatCursor(this.#epoch, this.seq)
  }

  /** A place further on in the log, between which and this one nothing for the client lies. */
  cursorAt(seq: number): string {
    return formatCursor(this.#epoch, seq)
  }

  /** How many events of the log lie ahead, of whatever topic. */
  get lag(): number {
    return this.current ? this.log.head - this.seq : this.log.head
  }

  /** Whether the log is still the one that it is a place in. */
  get current(): boolean {
    return this.#epoch === this.log.epoch
  }

  /** Why it is no place in the log any more, if it is none. */
  get lost(): GapReason | undefined {
    if (!this.current) return 'epoch'
    return this.seq < this.log.oldest - 1 ? 'overflow' : undefined
  }

  /** Whether what follows is not in memory. */
  get outside(): boolean {
    return this.seq < this.log.held - 1
  }

  /** Goes where the cursor of a client means; or to the head, when the client is sent the state of things instead of what it has missed. */
  begin(cursor: string | undefined, rules: Pick<ConnectionRules, 'cursorBytes' | 'start' | 'announced' | 'snapshot'>): Beginning {
    const { after, resumed, gap } = locate(cursor, this.log, rules)
    const withSnapshot = 'snapshot' in rules && !resumed
    this.jump(withSnapshot ? this.log.head : after)
    this.#fresh = !cursor && rules.start === 'oldest'
    return {
      ready: { epoch: this.#epoch, resumed, replayed: this.log.count(this.seq, this.topics), ...rules.announced },
      gap: gap && this.gap(gap, cursor ?? ''),
      checkpoint: withSnapshot ? '' : this.checkpoint(),
    }
  }

  /** Goes anywhere in the log as it is now. */
  jump(seq: number): void {
    this.#epoch = this.log.epoch
    this.seq = seq
    this.#fresh = false
  }

  /** Moves on to the last event of what is sent; to an id that the client is not sent, when that was left out. */
  pass(last: number, leftOut = false): void {
    this.seq = last
    this.#fresh = false
    this.#told = leftOut ? -1 : last
  }

  /** Moves on to where the client is told that it is; false when it has been told before. */
  reach(seq: number): boolean {
    const untold = this.#told !== seq
    this.pass(seq)
    return untold
  }

  /** What follows, up to a `seq` or to the head. */
  read(to?: number, latest = false): LogPage | undefined {
    if (this.#fresh) this.seq = Math.max(this.seq, this.log.oldest - 1)
    return this.log.read({ after: this.seq, bytes: PAGE_BYTES, latest, ...(to !== undefined && { to }) }, this.topics)
  }

  /** What follows, as far as it is not in memory. */
  async fetch(): Promise<LogPage | undefined> {
    return this.log.fetch?.(this.seq, this.topics)
  }

  /** A block that tells the client of this place. */
  checkpoint(): string {
    this.#told = this.seq
    return checkpointBlock(this.#epoch, this.seq)
  }

  /** The loss of what lies between `requested` and this place. */
  gap(reason: GapReason, requested: string): Gap {
    return gapAt(this.log, this.seq, reason, requested)
  }
}
