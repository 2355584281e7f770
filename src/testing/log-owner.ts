import type { Awaitable } from '../awaitable.ts'
import type { EventwireError } from '../errors.ts'
import type { Log, LogListener, LogPage, LogRange, LogRecord } from '../server/log.ts'
import type { Topics } from '../server/topics.ts'
import { broken, holds, same, type Clause } from './log-clauses.ts'
import { seqOf, seqsOf } from './log-page.ts'

/** What a log told of one event. */
export interface Told {
  readonly seq: number
  readonly topic: string | undefined
  readonly bytes: number
}

/**
 * Owns a log as an emitter does, and looks at all that it is told and reads. What it is told of counts as not handed yet,
 * so that it stays in memory, until `hand` or `follow` is called.
 */
export class Owner implements LogListener {
  handed: number
  readonly told: Told[] = []
  resets = 0
  /** Is called with each event while that is told. */
  onTold: ((seq: number) => void) | undefined
  onBeforeReset: (() => void) | undefined
  #following = false
  /** The number told last; `undefined` while the place where a log begins is not known. */
  #last: number | undefined
  #failure: Error | undefined
  readonly #waiting = new Set<() => void>()
  readonly #release: () => void

  /** `appended` has what was appended so far, to any log, by id. `patience` is how long it waits for what a log has to tell, in ms. */
  constructor(
    readonly log: Log,
    readonly appended: Map<string, LogRecord>,
    readonly patience: number,
  ) {
    this.handed = log.head
    this.#last = log.epoch === '' ? undefined : log.head
    this.#release = log.listen(this)
  }

  /** Waits until the log knows where it stands. */
  async begin(): Promise<void> {
    const { log } = this
    holds('epoch', 'an epoch, or sync', log.epoch !== '' || log.sync !== undefined, log.epoch)
    await this.answer(log.sync?.(), 'sync', 'sync')
    this.check()
    holds('epoch', 'an epoch of 1 to 128 characters of 0-9a-z', /^[0-9a-z]{1,128}$/.test(log.epoch), log.epoch)
    this.#last ??= log.head
  }

  onAppend(seq: number, topic: string | undefined, bytes: number): void {
    this.#look(() => {
      same('told', 'the number of the event that is told', seq, (this.#last ?? seq - 1) + 1)
      same('here', `head while event ${seq} is told`, this.log.head, seq)
    })
    this.told.push({ seq, topic, bytes })
    this.#last = seq
    if (this.#following) this.handed = seq
    this.#look(() => this.onTold?.(seq))
    this.#wake()
  }

  beforeReset(): void {
    this.#look(() => this.onBeforeReset?.())
  }

  onReset(): void {
    this.#last = this.handed = this.log.head
    this.resets++
    this.#wake()
  }

  onFault(error: EventwireError): void {
    this.#look(() => {
      throw broken('fault', `onFault was called, with ${error.code}: ${error.message}`)
    })
    this.#wake()
  }

  /** The numbers of what was told. */
  get numbers(): number[] {
    return this.told.map(({ seq }) => seq)
  }

  /** Appends an event before it returns its promise, as `emit` does, and resolves to its id. */
  append(record: Partial<LogRecord> = {}): Promise<string> {
    const appended = this.#append(record)
    // A case may fail before it looks at it.
    appended.catch(() => {})
    return appended
  }

  async #append(record: Partial<LogRecord>): Promise<string> {
    const whole = { event: 'message', data: '', topic: undefined, ...record }
    const id = await this.answer(this.log.append(whole), 'id', 'append')
    holds('id', 'an id', /^[0-9a-z]+-[1-9]\d*$/.test(id), id)
    this.appended.set(id, whole)
    return id
  }

  /** Appends events one after the other, none of which waits for the one before. Resolves to their numbers once they are all here. */
  async appendAll(records: readonly Partial<LogRecord>[]): Promise<number[]> {
    const ids = await Promise.all(records.map((record) => this.append(record)))
    const seqs = ids.map((id) => seqOf(id, this.log.epoch))
    await this.reach(Math.max(0, ...seqs))
    return seqs
  }

  /** Waits for what the log has promised, though not for ever: not every runner ends a test that hangs. */
  async answer<T>(promised: Awaitable<T>, clause: Clause, what: string): Promise<T> {
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(broken(clause, `after ${this.patience} ms it still waits for ${what}`)), this.patience)
    try {
      return await Promise.race([promised, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  /** Waits until an event is here. */
  async reach(seq: number): Promise<void> {
    await this.until(() => (this.#last ?? 0) >= seq, 'told', `event ${seq} to be told`)
  }

  /** Waits for something that comes with what the log tells. */
  async until(condition: () => boolean, clause: Clause, what: string): Promise<void> {
    const deadline = performance.now() + this.patience
    const timer = setInterval(() => this.#wake(), Math.min(this.patience, 100))
    try {
      for (this.check(); !condition(); this.check()) {
        if (performance.now() > deadline) throw broken(clause, `after ${this.patience} ms it still waits for ${what}`)
        await new Promise<void>((resolve) => this.#waiting.add(resolve))
      }
    } finally {
      clearInterval(timer)
    }
  }

  /** Fails when the log has told of anything that it should not have. */
  check(): void {
    if (this.#failure) throw this.#failure
  }

  /** Declares what was told to be handed, up to a number. */
  hand(seq: number): void {
    this.handed = seq
  }

  /** Declares all that was told to be handed, and what will be too. */
  follow(): void {
    this.#following = true
    this.handed = this.#last ?? 0
  }

  release(): void {
    this.#release()
  }

  /** The numbers of the events of one page; `undefined` when there is none. */
  page(range: LogRange, topics: Topics): { readonly seqs: number[]; readonly page: LogPage } | undefined {
    const page = this.log.read(range, topics)
    if (!page) return undefined
    const seqs = seqsOf(page, range.after, this.log.epoch, this.appended)
    const { to = this.log.head, latest = false } = range
    holds('range', `a page that ends at ${to} or before`, page.last <= to, page.last)
    if (!latest) {
      this.whole(page, seqs)
      this.bounded(page, range.bytes)
    }
    return { seqs, page }
  }

  /** The numbers of the events that are read page by page. */
  read(topics: Topics, range: Partial<LogRange> = {}): number[] {
    const found: number[] = []
    let { after = 0 } = range
    for (;;) {
      const read = this.page({ bytes: 64 << 10, ...range, after }, topics)
      if (!read) return found
      found.push(...read.seqs)
      after = read.page.last
    }
  }

  /** A page that was not to leave out anything. */
  whole({ incomplete, lastLeftOut }: LogPage, seqs: readonly number[]): void {
    same('page', 'incomplete and lastLeftOut of a page that was not to leave out anything', [incomplete, lastLeftOut], [false, false])
    holds('range', 'a page with an event in it', seqs.length > 0, seqs)
  }

  /** A page that holds no more than it was to. */
  bounded({ bytes }: LogPage, most: number): void {
    const before = lastBlock(bytes)
    holds('bytes', `a page that is below ${most} bytes before its last event`, before === 0 || before < most, before)
  }

  /** Keeps the first thing that went wrong while the log was calling: it is not to be thrown into the log. */
  #look(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.#failure ??= error instanceof Error ? error : new Error(String(error))
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }
}

const LF = 0x0a

/** Where the last event of a page begins: behind a blank line, of which no event has one in its midst. */
function lastBlock(bytes: Uint8Array): number {
  for (let at = bytes.length - 2; at > 1; at--) if (bytes[at - 1] === LF && bytes[at - 2] === LF) return at
  return 0
}
