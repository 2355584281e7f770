import type { GapReason, Ready } from '../wire/control.ts'
import { encode, encodeBytes } from '../wire/encode.ts'
import { formatCursor, locate } from './cursor.ts'
import type { Fanout, Group } from './fanout.ts'
import type { Log } from './log.ts'
import { join, type Sink, type SinkListener } from './sink.ts'
import type { Topics } from './topics.ts'

const COMMENT = encodeBytes({ comment: '' })

/** Most bytes read from the log at once. */
const PAGE_BYTES = 64 << 10

const utf8 = new TextEncoder()

/** What a request and the emitter's options make of a connection. */
export interface ConnectionRequest {
  readonly topics: Topics
  /** The cursor that the client brought. */
  readonly lastEventId: string | undefined
  /** What `$ready` announces. */
  readonly announced: Pick<Ready, 'heartbeat' | 'text' | 'ends'>
  /** The reconnection time to ask for, in ms. */
  readonly retry: number | undefined
  /** `$ready` is written. */
  readonly onOpen: () => void
  readonly onGone: () => void
}

/**
 * One open stream: a cursor into the log, not a queue.
 *
 * - `behind`: it reads from the log at its own cursor, as fast as its transport takes it
 * - `live`: it has read to the head, and its group hands it what is new
 * - `ending`: nothing more is written; its transport has yet to let go
 * - `closed`: the transport is gone
 */
export class StreamConnection implements SinkListener {
  state: 'behind' | 'live' | 'ending' | 'closed' = 'behind'
  readonly group: Group
  /** The event or checkpoint that the client has been sent last. Nothing for it lies between this and what comes next. */
  cursor = 0
  #epoch = ''
  /** When the transport became full, as `performance.now()` has it; `undefined` while there is room. */
  #fullSince: number | undefined

  constructor(
    readonly log: Log,
    readonly fanout: Fanout,
    readonly sink: Sink,
    readonly request: ConnectionRequest,
  ) {
    this.group = fanout.add(this, request.topics)
  }

  /** Says where the stream stands and begins to read. Nothing is awaited between looking at the head and being attached. */
  opened(): void {
    const { lastEventId, announced, retry, topics } = this.request
    const start = locate(lastEventId, this.log)
    this.cursor = start.after
    this.#epoch = this.log.epoch
    const replayed = this.log.count(start.after, topics)
    const ready: Ready = { epoch: this.#epoch, resumed: start.resumed, replayed, ...announced }
    this.#write(
      (retry === undefined ? '' : encode({ retry })) +
        control('$ready', ready) +
        (start.gap ? this.#gap(start.gap, lastEventId ?? '') : '') +
        this.#checkpoint(),
    )
    this.request.onOpen()
    this.#catchUp()
  }

  /** Takes what the group has for all its live connections. `last` is the `seq` of the last event in it. */
  deliver(bytes: Uint8Array, last: number): void {
    this.cursor = last
    this.#write(bytes)
  }

  /** Sends a block to this client alone, after what was emitted before it. False when it is slow or gone: nothing was sent. */
  send(block: string): boolean {
    this.fanout.flush(this.group)
    if (!this.#mayWrite()) return false
    this.#write(block)
    return true
  }

  /** The sign of life: a comment, or a checkpoint when the log has moved on. Ends a connection whose bytes do not leave. */
  beat(stallTimeout: number): void {
    // A hook may have emitted since the beat began.
    this.fanout.flush(this.group)
    if (this.state === 'live') {
      const moved = this.cursor !== this.log.head
      this.cursor = this.log.head
      this.#write(moved ? this.fanout.checkpoint() : COMMENT)
    } else if (this.#fullSince !== undefined && performance.now() - this.#fullSince >= stallTimeout) {
      this.sink.destroy()
    }
  }

  /** The log has a new epoch: reads on from there, after saying so. */
  rewind(): void {
    if (this.state === 'live') this.#fallBehind()
    this.#catchUp()
  }

  /** Ends the stream, at once when its transport is full. */
  close(): void {
    if (this.state === 'ending' || this.state === 'closed') return
    this.fanout.flush(this.group)
    const full = !this.#mayWrite()
    this.group.live.delete(this)
    this.state = 'ending'
    this.#fullSince ??= performance.now()
    if (full) this.sink.destroy()
    else this.sink.end()
  }

  drained(): void {
    if (this.state !== 'behind') return
    this.#fullSince = undefined
    this.#catchUp()
  }

  gone(): void {
    if (this.state === 'closed') return
    this.fanout.remove(this)
    this.state = 'closed'
    this.request.onGone()
  }

  #mayWrite(): boolean {
    return this.state === 'live' || (this.state === 'behind' && this.#fullSince === undefined)
  }

  #catchUp(): void {
    while (this.state === 'behind' && this.#fullSince === undefined) {
      const lost = this.#lost()
      if (lost) {
        this.#write(this.#declareLost(lost))
        continue
      }
      const page = this.log.read(this.cursor, this.group.topics, PAGE_BYTES)
      const last = page.at(-1)
      if (!last) return this.#goLive()
      this.deliver(join(page), last.seq)
    }
  }

  #goLive(): void {
    this.fanout.flush(this.group)
    this.state = 'live'
    this.group.live.add(this)
  }

  #fallBehind(): void {
    this.group.live.delete(this)
    this.state = 'behind'
    // A live connection has been sent all that is for it, but for what its group has yet to write.
    const [next] = this.group.pending
    if (this.#epoch === this.log.epoch) this.cursor = next ? next.seq - 1 : this.log.head
  }

  #lost(): GapReason | undefined {
    if (this.#epoch !== this.log.epoch) return 'epoch'
    return this.cursor < this.log.oldest - 1 ? 'overflow' : undefined
  }

  #declareLost(reason: GapReason): string {
    const requested = formatCursor(this.#epoch, this.cursor)
    this.#epoch = this.log.epoch
    this.cursor = this.log.oldest - 1
    return this.#gap(reason, requested) + this.#checkpoint()
  }

  #gap(reason: GapReason, requested: string): string {
    const { epoch, oldest, head } = this.log
    return control('$gap', { reason, requested: requested.slice(0, 256), oldest: oldest > head ? '' : formatCursor(epoch, oldest) })
  }

  /** Moves the client's cursor and dispatches nothing: it resumes from here though it may not have heard an event. */
  #checkpoint(): string {
    return encode({ id: formatCursor(this.#epoch, this.cursor) })
  }

  #write(block: Uint8Array | string): void {
    if (this.#accepts(typeof block === 'string' ? utf8.encode(block) : block)) return
    this.#fullSince = performance.now()
    if (this.state === 'live') this.#fallBehind()
  }

  /** A transport that throws harms its own connection alone, not the others that are handed the same bytes. */
  #accepts(bytes: Uint8Array): boolean {
    try {
      return this.sink.write(bytes)
    } catch {
      // Later: its end tells the application, which may emit while the others have yet to be written to.
      queueMicrotask(() => this.sink.destroy())
      return false
    }
  }
}

function control(event: string, data: object): string {
  return encode({ event, data: JSON.stringify(data) })
}
