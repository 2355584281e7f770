import type { GapReason } from '../wire/control.ts'
import { encode } from '../wire/encode.ts'
import type { Coding } from './coding.ts'
import { COMMENT, readyBlock } from './control.ts'
import type { ConnectionRequest, ConnectionRules, OpenStream } from './connection-request.ts'
import type { Batch, Fanout, Group } from './fanout.ts'
import type { Log, LogPage } from './log.ts'
import { Place, type Beginning } from './place.ts'
import { join } from './bytes.ts'
import type { SinkListener } from './sink.ts'
import type { Outlet } from './transport.ts'

const utf8 = new TextEncoder()

/**
 * One open stream: a place in the log, not a queue.
 *
 * - `snapshot`: it is being sent the state of things, and will read from the log at its place
 * - `behind`: it reads from the log at its own pace, as fast as its transport takes it
 * - `fetching`: it waits for what it has yet to read, which is not in memory
 * - `live`: it has read to the head, and its group hands it what is new
 * - `ending`: nothing more is written; its transport has yet to let go
 * - `closed`: the transport is gone
 */
export class StreamConnection<Context = unknown> implements SinkListener, OpenStream<Context> {
  state: 'snapshot' | 'behind' | 'fetching' | 'live' | 'ending' | 'closed' = 'behind'
  readonly group: Group
  readonly transport: Outlet
  readonly #place: Place
  /** It has not kept up with what is live since it was last in step with the log. */
  #slow = false
  /** What has been said of that already. */
  #saidSlow = false
  #saidSuperseded = false
  #controller: AbortController | undefined

  constructor(
    readonly log: Log,
    readonly fanout: Fanout,
    outlet: (coding: Coding | undefined) => Outlet,
    readonly rules: ConnectionRules<Context>,
    readonly request: ConnectionRequest<Context>,
  ) {
    this.group = fanout.add(this, request.topics)
    this.transport = outlet(request.zlib && this.group.coding(request.zlib))
    this.#place = new Place(log, this.group.topics)
  }

  /** How many events of the log the client is behind, of whatever topic. */
  get lag(): number {
    return this.state === 'live' || this.#over ? 0 : this.#place.lag
  }

  /** Aborted when the stream ends. Made when it is first asked for: most connections never are. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.#over) this.#controller.abort()
    return this.#controller.signal
  }

  /** The place up to which the client has been sent all that is for it. */
  get cursor(): string {
    return this.#place.cursorAt(this.#reached)
  }

  /** Says where the stream stands and begins to read. Nothing is awaited between looking at the head and being attached. */
  opened(): void {
    const { ready, gap, checkpoint } = this.begin()
    this.#write(readyBlock(ready, this.rules.retry) + (gap ? this.rules.declare(this, gap) : '') + checkpoint)
    this.rules.onOpen(this, ready.resumed)
    // Unless the hook has closed it, or made it begin anew.
    if (!checkpoint && this.state === 'behind') this.rules.snapshot?.(this)
    this.catchUp()
  }

  /** Goes where it begins. */
  begin(): Beginning {
    return this.#place.begin(this.request.lastEventId, this.rules)
  }

  /** Takes what the group has for all its live connections. */
  deliver({ bytes, first, last }: Batch): void {
    if (this.#place.seq >= first) return this.readTo(last)
    this.#place.pass(last)
    this.#write(bytes)
  }

  send(block: string): boolean {
    this.readTo()
    if (this.#over || this.transport.full) return false
    this.#write(block)
    return true
  }

  /** The sign of life: a comment, or a checkpoint when the log has moved on. Ends a connection whose bytes do not leave. */
  beat(stallTimeout: number): void {
    if (this.transport.full) return this.#beatFull(stallTimeout)
    if (this.state === 'snapshot' || this.state === 'fetching') return this.#write(COMMENT)
    // To a busy group events are on their way, a better sign.
    if (this.state === 'live' && !this.group.busy) this.#write(this.#place.reach(this.log.head) ? this.fanout.checkpoint() : COMMENT)
  }

  /** Reads on as far as its transport takes it. */
  catchUp(): void {
    while (this.state === 'behind' && !this.transport.full) {
      const page = this.#place.read(undefined, this.#slow && this.rules.slowConsumer === 'latest')
      // Only now: to read lets go of what is too old.
      const lost = this.#place.lost
      if (lost) this.#declareLost(lost)
      else if (this.#place.outside) void this.#fetch()
      else if (page) this.#writePage(page)
      else this.#goLive()
    }
  }

  /** Is handed nothing more: it will read on from the log. */
  fallBehind(): void {
    if (this.state !== 'live') return
    this.group.live.delete(this)
    if (this.#place.current) this.#place.seq = this.#reached
    this.state = 'behind'
  }

  /** Brings a live connection ahead of its group, to `seq`, or as far as its transport takes it. */
  readTo(seq = this.log.head): void {
    while (this.state === 'live' && this.#place.seq < seq) {
      const page = this.#place.read(seq)
      if (page) this.#writePage(page)
      else this.#place.seq = seq
    }
  }

  hold(): void {
    this.fallBehind()
    if (!this.#over) this.state = 'snapshot'
  }

  /** The checkpoint comes last: a client that was cut in mid-snapshot does not come back as if it had seen all of it. */
  resume(): void {
    if (this.state !== 'snapshot') return
    this.state = 'behind'
    // Else the log has outrun the snapshot, and the next one follows.
    if (!this.#place.lost) this.#write(this.#place.checkpoint())
    this.catchUp()
  }

  /** Ends the stream. Asks the client to wait for `retry` ms before it comes back, when given. One whose transport is full is cut, unless it may finish. */
  close(retry?: number, mayFinish = false): void {
    if (this.#over) return
    const full = this.transport.full
    this.readTo()
    if (retry !== undefined && !this.transport.full) this.#write(encode({ retry }))
    this.#leave('ending')
    if (full && !mayFinish) this.destroy()
    else this.transport.end()
  }

  /** Ends the stream at once. */
  destroy(): void {
    this.transport.destroy()
  }

  drained(): void {
    if (this.state !== 'closed' && this.transport.drained()) this.catchUp()
  }

  gone(): void {
    if (this.state === 'closed') return
    this.#leave('closed')
    this.fanout.remove(this)
    this.transport.release()
    this.rules.onGone(this)
  }

  get #over(): boolean {
    return this.state === 'ending' || this.state === 'closed'
  }

  /** `seq` of the last event that is not on its way: nothing for the client lies between its place and that. */
  get #reached(): number {
    if (this.state !== 'live') return this.#place.seq
    const { next } = this.group
    return next === undefined ? this.log.head : Math.max(this.#place.seq, next - 1)
  }

  #leave(state: 'ending' | 'closed'): void {
    this.group.live.delete(this)
    this.state = state
    this.#controller?.abort()
  }

  #beatFull(stallTimeout: number): void {
    const dropped = this.rules.slowConsumer === 'disconnect' && this.state === 'behind' && this.#place.lost === 'overflow'
    if (dropped || this.transport.stalled(stallTimeout)) return this.destroy()
    if (this.#over || this.#saidSlow) return
    this.#slow = this.#saidSlow = true
    this.rules.onSlow(this)
  }

  /** Reads what is not in memory. */
  async #fetch(): Promise<void> {
    this.state = 'fetching'
    const { cursor } = this.#place
    const page = await this.#place.fetch().catch(() => undefined)
    // It may have been held meanwhile, and have fetched that again.
    if (this.state !== 'fetching' || this.#place.cursor !== cursor) return
    this.state = 'behind'
    if (page && this.#place.current && !this.transport.full) this.#writePage(page)
    // It is neither to be had nor known to be lost: else it would be asked for again and again.
    if (!page && this.#place.outside && !this.#place.lost) return this.destroy()
    this.catchUp()
  }

  /** What a newer event of the same key replaces may be left out. That one is in this page, or follows in the log. */
  #writePage({ bytes, last, incomplete, lastLeftOut }: LogPage): void {
    const pieces = [bytes]
    if (incomplete && !this.#saidSuperseded) {
      this.#saidSuperseded = true
      pieces.unshift(utf8.encode(this.rules.declare(this, this.#place.gap('superseded', this.#place.cursor))))
    }
    this.#place.pass(last, lastLeftOut)
    const page = join(pieces)
    if (page.byteLength > 0) this.#write(page)
  }

  #goLive(): void {
    this.#place.jump(this.log.head)
    this.state = 'live'
    this.#slow = this.#saidSlow = this.#saidSuperseded = false
    this.group.live.add(this)
  }

  #declareLost(reason: GapReason): void {
    const snapshot = 'snapshot' in this.rules
    if (reason === 'overflow' && this.rules.slowConsumer === 'disconnect') return this.close()
    const requested = this.#place.cursor
    this.#saidSuperseded = false
    this.#place.jump(snapshot ? this.log.head : this.log.oldest - 1)
    const gap = this.rules.declare(this, this.#place.gap(reason, requested))
    this.#write(snapshot ? gap : gap + this.#place.checkpoint())
    this.rules.snapshot?.(this)
  }

  #write(block: Uint8Array | string): void {
    if (this.transport.write(block)) return
    if (this.state !== 'live') return
    this.#slow = true
    this.fallBehind()
  }
}
