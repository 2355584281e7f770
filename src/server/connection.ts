import type { GapReason, Ready } from '../wire/control.ts'
import { encode } from '../wire/encode.ts'
import { checkpointBlock, COMMENT, gapAt, gapBlock, readyBlock } from './control.ts'
import type { ConnectionRequest } from './connection-request.ts'
import { formatCursor, locate } from './cursor.ts'
import type { Fanout, Group } from './fanout.ts'
import type { Log, LogEntry } from './log.ts'
import { whenRoom } from './pump.ts'
import { join, type Sink, type SinkListener } from './sink.ts'
import { Transport } from './transport.ts'

/** Most bytes read from the log at once. */
const PAGE_BYTES = 64 << 10

const utf8 = new TextEncoder()

/**
 * One open stream: a cursor into the log, not a queue.
 *
 * - `snapshot`: it is being sent the state of things, and will read from the log at its cursor
 * - `behind`: it reads from the log at its own cursor, as fast as its transport takes it
 * - `live`: it has read to the head, and its group hands it what is new
 * - `ending`: nothing more is written; its transport has yet to let go
 * - `closed`: the transport is gone
 */
export class StreamConnection implements SinkListener {
  state: 'snapshot' | 'behind' | 'live' | 'ending' | 'closed' = 'behind'
  readonly group: Group
  readonly transport: Transport
  /** Where it reads on: nothing for it lies between what it has been sent last and this. */
  cursor = 0
  /** The last id that the client has been sent, which the cursor may be ahead of; NaN when that is not known. */
  #told = NaN
  #epoch = ''
  /** It has not kept up with what is live since it was last in step with the log. */
  #slow = false
  /** What has been said of that already. */
  readonly #said = { slow: false, superseded: false }
  #controller: AbortController | undefined

  constructor(
    readonly log: Log,
    readonly fanout: Fanout,
    sink: Sink,
    readonly request: ConnectionRequest,
  ) {
    this.transport = new Transport(sink)
    this.group = fanout.add(this, request.topics)
  }

  /** How many events of the log the client is behind, of whatever topic. */
  get lag(): number {
    if (this.state !== 'behind' && this.state !== 'snapshot') return 0
    return this.#epoch === this.log.epoch ? this.log.head - this.cursor : this.log.head
  }

  /** Aborted when the stream ends. Made when it is first asked for: most connections never are. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#over) this.#controller.abort()
    return this.#controller.signal
  }

  /** Says where the stream stands and begins to read. Nothing is awaited between looking at the head and being attached. */
  opened(): void {
    const { lastEventId, cursorBytes, announced, retry, topics, snapshot } = this.request
    const start = locate(lastEventId, this.log, cursorBytes)
    const withSnapshot = snapshot !== undefined && !start.resumed
    this.cursor = withSnapshot ? this.log.head : start.after
    this.#epoch = this.log.epoch
    const replayed = this.log.count(this.cursor, topics)
    const ready: Ready = { epoch: this.#epoch, resumed: start.resumed, replayed, ...announced }
    if (start.resumed) this.fanout.counters.replays++
    const gap = start.gap ? this.#gap(start.gap, lastEventId ?? '') : ''
    this.#write(readyBlock(ready, retry) + gap + (withSnapshot ? '' : this.#checkpoint()))
    this.request.onOpen()
    // Unless the hook has closed it.
    if (withSnapshot && !this.#over) void this.#sendSnapshot()
    this.#catchUp()
  }

  /** Takes what the group has for all its live connections. `last` is the `seq` of the last event in it. */
  deliver(bytes: Uint8Array, last: number): void {
    this.cursor = this.#told = last
    this.#write(bytes)
  }

  /** Sends a block to this client alone, after what was emitted before it. False when it is slow or gone: nothing was sent. */
  send(block: string): boolean {
    this.fanout.flush(this.group)
    if (this.#over || this.transport.full) return false
    this.#write(block)
    return true
  }

  /** The sign of life: a comment, or a checkpoint when the log has moved on. Ends a connection whose bytes do not leave. */
  beat(stallTimeout: number): void {
    // A hook may have emitted since the beat began.
    this.fanout.flush(this.group)
    if (this.transport.full) return this.#beatFull(stallTimeout)
    if (this.state === 'snapshot') return this.#write(COMMENT)
    if (this.state !== 'live') return
    const moved = this.#told !== this.log.head
    this.cursor = this.#told = this.log.head
    this.#write(moved ? this.fanout.checkpoint() : COMMENT)
  }

  /** The log has a new epoch: reads on from there, after saying so. */
  rewind(): void {
    if (this.state === 'live') this.#fallBehind()
    this.#catchUp()
  }

  /** Ends the stream. Asks the client to wait for `retry` ms before it comes back, when given. One whose transport is full is cut, unless it may finish. */
  close(retry?: number, mayFinish = false): void {
    if (this.#over) return
    const full = this.transport.full
    if (!full) this.fanout.flush(this.group)
    if (retry !== undefined && !this.transport.full) this.#write(encode({ retry }))
    this.#leave('ending')
    if (full && !mayFinish) this.destroy()
    else this.transport.end()
  }

  /** Ends the stream at once. */
  destroy(): void {
    this.transport.sink.destroy()
  }

  drained(): void {
    if (this.state !== 'closed' && this.transport.drained()) this.#catchUp()
  }

  gone(): void {
    if (this.state === 'closed') return
    this.#leave('closed')
    this.fanout.remove(this)
    this.transport.release()
    this.request.onGone()
  }

  get #over(): boolean {
    return this.state === 'ending' || this.state === 'closed'
  }

  #leave(state: 'ending' | 'closed'): void {
    this.group.live.delete(this)
    this.state = state
    this.#controller?.abort()
  }

  #beatFull(stallTimeout: number): void {
    const dropped = this.request.slowConsumer === 'disconnect' && this.state === 'behind' && this.#lost() === 'overflow'
    if (dropped || this.transport.stalled(stallTimeout)) return this.destroy()
    if (this.#over || this.#said.slow) return
    this.#slow = this.#said.slow = true
    this.request.onSlow()
  }

  #catchUp(): void {
    while (this.state === 'behind' && !this.transport.full) {
      const lost = this.#lost()
      if (lost) {
        this.#declareLost(lost)
        continue
      }
      const page = this.log.read(this.cursor, this.group.topics, PAGE_BYTES)
      const last = page.at(-1)
      if (!last) return this.#goLive()
      if (this.#slow && this.request.slowConsumer === 'latest') this.#deliverLatest(page, last.seq)
      else this.deliver(join(page), last.seq)
    }
  }

  /** Leaves out what a newer event of the same key replaces. That one is in this page, or follows in the log. */
  #deliverLatest(page: readonly LogEntry[], last: number): void {
    const latest: { readonly bytes: Uint8Array }[] = page.filter(({ superseded }) => !superseded)
    if (latest.length < page.length && !this.#said.superseded) {
      this.#said.superseded = true
      latest.unshift({ bytes: utf8.encode(this.#gap('superseded', formatCursor(this.#epoch, this.cursor))) })
    }
    if (latest.length > 0) this.deliver(join(latest), last)
    else this.cursor = last
    if (page.at(-1)?.superseded) this.#told = NaN
  }

  #goLive(): void {
    this.fanout.flush(this.group)
    this.state = 'live'
    this.#slow = this.#said.slow = this.#said.superseded = false
    this.group.live.add(this)
  }

  #fallBehind(): void {
    this.group.live.delete(this)
    this.state = 'behind'
    // A live connection has been sent all that is for it: whoever writes to one has flushed its group.
    if (this.#epoch === this.log.epoch) this.cursor = this.log.head
  }

  #lost(): GapReason | undefined {
    if (this.#epoch !== this.log.epoch) return 'epoch'
    return this.cursor < this.log.oldest - 1 ? 'overflow' : undefined
  }

  #declareLost(reason: GapReason): void {
    if (reason === 'overflow' && this.request.slowConsumer === 'disconnect') return this.close()
    const requested = formatCursor(this.#epoch, this.cursor)
    this.#said.superseded = false
    this.#epoch = this.log.epoch
    this.cursor = this.request.snapshot ? this.log.head : this.log.oldest - 1
    const gap = this.#gap(reason, requested)
    this.#write(this.request.snapshot ? gap : gap + this.#checkpoint())
    if (this.request.snapshot) void this.#sendSnapshot()
  }

  /** The checkpoint comes last: a client that was cut in mid-snapshot does not come back as if it had seen all of it. */
  async #sendSnapshot(): Promise<void> {
    this.state = 'snapshot'
    const sent = await this.request.snapshot?.()
    if (this.state !== 'snapshot') return
    if (!sent) return this.close()
    await whenRoom(this.transport, this.signal, () => {
      this.state = 'behind'
      // Else the log has outrun the snapshot, and the next one follows.
      if (!this.#lost()) this.#write(this.#checkpoint())
      this.#catchUp()
    })
  }

  /** Declares a loss, and that the stream goes on behind the cursor. */
  #gap(reason: GapReason, requested: string): string {
    const gap = gapAt(this.log, this.cursor, reason, requested)
    this.fanout.counters.gaps++
    this.request.onGap(gap)
    return gapBlock(gap)
  }

  #checkpoint(): string {
    this.#told = this.cursor
    return checkpointBlock(this.#epoch, this.cursor)
  }

  #write(block: Uint8Array | string): void {
    if (this.transport.write(block)) return
    if (this.state !== 'live') return
    this.#slow = true
    this.#fallBehind()
  }
}
