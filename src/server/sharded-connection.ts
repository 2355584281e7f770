import type { Gap } from '../wire/control.ts'
import { encode } from '../wire/encode.ts'
import { formatComposite } from './composite.ts'
import type { ConnectionRequest, ConnectionRules, OpenStream } from './connection-request.ts'
import { StreamConnection } from './connection.ts'
import { COMMENT, readyBlock } from './control.ts'
import type { Fanout } from './fanout.ts'
import { LaneOutlet, putAround, type Around, type Lanes, type SharedBlocks } from './lane.ts'
import type { Beginning } from './place.ts'
import type { ShardTopics } from './sharding.ts'
import type { Sink, SinkListener } from './sink.ts'
import { Transport } from './transport.ts'

/** What a stream listens to in one shard, and from where on. */
export interface ShardPlace extends ShardTopics {
  readonly cursor: string | undefined
}

/** What all streams have in common in one shard. */
export interface ShardParts {
  readonly fanout: Fanout
  readonly blocks: SharedBlocks
}

/**
 * One open stream whose topics lie in several shards: a connection to each of them, its lanes, which write to one transport in turn. Every cursor
 * that the client is sent says where it stands in all of them.
 */
export class ShardedConnection<Context = unknown> implements SinkListener, OpenStream<Context>, Lanes {
  readonly transport: Transport
  readonly #lanes: readonly StreamConnection<Context>[]
  /** Which lane is the first to read on when there is room. */
  #turn = 0
  #held = false
  #saidSlow = false
  #ended = false

  /**
   * @param places Two or more, that in shard 0 first, to which everyone listens.
   * @param parts One for each shard that there is.
   */
  constructor(
    readonly places: readonly ShardPlace[],
    readonly parts: readonly ShardParts[],
    sink: Sink,
    readonly rules: ConnectionRules<Context>,
    readonly request: ConnectionRequest<Context>,
  ) {
    this.transport = new Transport(sink)
    const laneRules = this.#rulesOfLanes()
    this.#lanes = places.map(({ shard, topics, cursor }, lane) => {
      const { fanout } = parts[shard]!
      const own = { topics, context: request.context, lastEventId: cursor, zlib: undefined, release() {} }
      return new StreamConnection(fanout.log, fanout, () => new LaneOutlet(this, lane), laneRules, own)
    })
  }

  /** Ends with the first lane, as that does with all others. */
  get signal(): AbortSignal {
    return this.#first.signal
  }

  opened(): void {
    const beginnings = this.#lanes.map((lane) => lane.begin())
    const ready = {
      ...beginnings[0]!.ready,
      resumed: beginnings.every(({ ready: { resumed } }) => resumed),
      replayed: beginnings.reduce((sum, { ready: { replayed } }) => sum + replayed, 0),
    }
    const withSnapshot = 'snapshot' in this.rules && !ready.resumed
    const gaps = this.#gapsOf(beginnings).map((gap) => this.rules.declare(this, gap))
    this.#write(readyBlock(ready, this.rules.retry) + gaps.join('') + (withSnapshot ? '' : encode({ id: this.#cursorWith() })))
    this.rules.onOpen(this, ready.resumed)
    // Unless the hook has closed it, or made it begin anew.
    if (withSnapshot && !this.#ended && !this.#held) this.rules.snapshot?.(this)
    this.#catchUp()
  }

  send(block: string): boolean {
    for (const lane of this.#lanes) lane.readTo()
    return this.#first.send(block)
  }

  /** All of them: what is told of any shard while the state of things is sent may be newer than that. */
  hold(): void {
    this.#held = true
    for (const lane of this.#lanes) lane.hold()
  }

  resume(): void {
    this.#held = false
    for (const lane of this.#lanes) {
      // The one before may have had to begin anew.
      if (!this.#held) lane.resume()
    }
  }

  close(): void {
    this.#first.close()
  }

  drained(): void {
    if (this.#first.state === 'closed' || !this.transport.drained()) return
    this.#turn = (this.#turn + 1) % this.#lanes.length
    this.#catchUp()
  }

  gone(): void {
    if (this.#first.state === 'closed') return
    for (const lane of this.#lanes) lane.gone()
    this.transport.release()
    this.rules.onGone(this)
  }

  pass(lane: number, block: Uint8Array | string): boolean {
    // One sign of life is enough.
    if (block === COMMENT) return lane > 0 || this.#write(block, lane)
    const around = this.#around(lane)
    if (typeof block === 'string') return this.#write(putAround(block, around), lane)
    const { blocks } = this.parts[this.places[lane]!.shard]!
    return this.#write(blocks.putAround(block, around), lane)
  }

  end(): void {
    if (this.#ended) return
    this.#ended = true
    for (const lane of this.#lanes) lane.close(undefined, true)
    this.transport.end()
  }

  get #first(): StreamConnection<Context> {
    return this.#lanes[0]!
  }

  /** What lanes tell, as what the stream does. */
  #rulesOfLanes(): ConnectionRules<Context> {
    const { rules, request } = this
    return {
      ...rules,
      // Who has a cursor may have heard what is in a shard that it does not name.
      start: request.lastEventId ? 'head' : rules.start,
      ...(rules.snapshot && { snapshot: () => rules.snapshot?.(this) }),
      onOpen() {},
      declare: (stream, { reason, requested, oldest }) => {
        const lane = this.#lanes.findIndex((it) => it === stream)
        const whole = (place: string): string => place && this.#cursorWith((own, it) => (it === lane ? place : own))
        return rules.declare(this, { reason, requested: whole(requested).slice(0, 256), oldest: whole(oldest) })
      },
      onSlow: () => {
        if (!this.#saidSlow) rules.onSlow(this)
        this.#saidSlow = true
      },
      onGone() {},
    }
  }

  /** What is lost from the beginning: one gap for each reason. */
  #gapsOf(beginnings: readonly Beginning[]): Gap[] {
    const reasons = new Set(beginnings.flatMap(({ gap }) => gap?.reason ?? []))
    const requested = (this.request.lastEventId ?? '').slice(0, 256)
    return Array.from(reasons, (reason) => {
      const oldestOf = (lane: number): string => (beginnings[lane]!.gap?.reason === reason && beginnings[lane]!.gap?.oldest) || ''
      const oldest = this.#lanes.some((_, lane) => oldestOf(lane)) ? this.#cursorWith((own, lane) => oldestOf(lane) || own) : ''
      return { reason, requested, oldest }
    })
  }

  /** Where the stream stands; or elsewhere in some shards. */
  #cursorWith(place: (own: string, lane: number) => string = (own) => own): string {
    return formatComposite(this.#lanes.map(({ cursor }, lane) => [this.places[lane]!.shard, place(cursor, lane)]))
  }

  #around(lane: number): Around {
    let before = ''
    let behind = ''
    for (const [i, { shard }] of this.places.entries()) {
      if (i < lane) before += `${shard}.${this.#lanes[i]!.cursor}_`
      else if (i === lane) before += `${shard}.`
      else behind += `_${shard}.${this.#lanes[i]!.cursor}`
    }
    return { before, behind }
  }

  /** In turn, so that one with much to read does not keep the others waiting. */
  #catchUp(): void {
    for (let i = 0; i < this.#lanes.length; i++) this.#lanes[(this.#turn + i) % this.#lanes.length]!.catchUp()
  }

  /** False when it is full now: for all lanes, whichever has written. */
  #write(block: Uint8Array | string, writer?: number): boolean {
    if (this.transport.write(block)) return true
    // It had been in step again.
    if (this.#lanes.every(({ state }) => state === 'live')) this.#saidSlow = false
    for (const [i, lane] of this.#lanes.entries()) {
      if (i !== writer) lane.fallBehind()
    }
    return false
  }
}
