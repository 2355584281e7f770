import type { EventwireError } from '../errors.ts'
import { encodeBytes } from '../wire/encode.ts'
import { Awaiting } from './awaiting.ts'
import { GzipCoding, type Coding } from './coding.ts'
import type { StreamConnection } from './connection.ts'
import { formatCursor } from './cursor.ts'
import { SharedDeflate, type Zlib } from './gzip.ts'
import { Heartbeat } from './heartbeat.ts'
import type { Log, LogListener } from './log.ts'
import { nextTurn, Slice } from './slice.ts'
import type { Topics } from './topics.ts'

/** What awaits its turn may add up to this much: the log holds it beyond its own bounds. More is handed on at once, however long that takes. */
const MAX_AWAITING = 8 << 20

/** Most bytes of one batch. */
const BATCH_BYTES = 64 << 10

/** Not a topic, so that a topic named `*` is one like any other. */
const EVERY_TOPIC = Symbol('every topic')

/** Connections with the same topics, which share the bytes of every write. */
export class Group {
  /** The connections that have read to the head: they are handed what is new. */
  readonly live = new Set<StreamConnection>()
  /** How many connections it has, live or not. */
  size = 0
  /** The events that its live connections have yet to be handed, by `seq`. */
  pending: number[] = []
  /** The batch that is being handed to them. */
  batch: Batch | undefined
  /** Compresses it for all of them, once one of them wants that. */
  deflate: SharedDeflate | undefined

  constructor(readonly topics: Topics) {}

  /** Whether there is something that some of its live connections have yet to be handed. */
  get busy(): boolean {
    return this.batch !== undefined || this.pending.length > 0
  }

  /** `seq` of the first event that is on its way, to some of them at least; `undefined` when none is. */
  get next(): number | undefined {
    return this.batch?.first ?? this.pending[0]
  }

  /** Compresses what one of its connections is sent. */
  coding(zlib: Zlib): Coding {
    this.deflate ??= new SharedDeflate(zlib)
    return new GzipCoding(zlib, this.deflate)
  }
}

/** Events on their way to the live connections of a group. */
export interface Batch {
  /** The very object goes to all of them: those who frame or compress it do so once. */
  readonly bytes: Uint8Array
  /** `seq` of its first event. */
  readonly first: number
  readonly last: number
  /** Who has yet to be handed it. */
  readonly connections: Iterator<StreamConnection> & Iterable<StreamConnection>
}

/**
 * Carries what the log appends to the connections: what is published in one tick leaves in one write. While many
 * are being written to, others have their turn, and what is published meanwhile is the next batch.
 */
export class Fanout implements LogListener {
  readonly #heartbeat: Heartbeat<StreamConnection>
  readonly #groups = new Map<string, Group>()
  readonly #byTopic = new Map<string | symbol, Set<Group>>()
  /** The groups that are busy, in the order of their turns. */
  readonly #busy = new Set<Group>()
  #scheduled = false
  #awaiting = new Awaiting()
  handed: number
  /** The latest checkpoint: most connections are sent the same. */
  #checkpointed = { cursor: '', bytes: new Uint8Array() }

  constructor(
    readonly log: Log,
    heartbeat: number,
    stallTimeout: number,
    readonly onFault: (error: EventwireError) => void,
  ) {
    this.#heartbeat = new Heartbeat(heartbeat, stallTimeout)
    this.handed = log.head
  }

  get connections(): ReadonlySet<StreamConnection> {
    return this.#heartbeat.connections
  }

  /** Connections with the same topics, as groups. */
  get groups(): Iterable<Group> {
    return this.#groups.values()
  }

  /** Registers a connection and gives the group of its topics. */
  add(connection: StreamConnection, topics: Topics): Group {
    const key = groupKey(topics)
    let group = this.#groups.get(key)
    if (!group) {
      group = new Group(topics)
      this.#groups.set(key, group)
      for (const topic of indexed(topics)) this.#groupsOf(topic).add(group)
    }
    group.size++
    this.#heartbeat.add(connection)
    return group
  }

  /** Forgets a connection, and its group with the last of it. */
  remove(connection: StreamConnection): void {
    const { group } = connection
    if (this.#heartbeat.remove(connection) && --group.size === 0) this.#drop(group)
  }

  onAppend(seq: number, topic: string | undefined, bytes: number): void {
    if (topic === undefined) {
      for (const group of this.#groups.values()) this.#enqueue(group, seq)
    } else {
      for (const group of this.#byTopic.get(topic) ?? []) this.#enqueue(group, seq)
      for (const group of this.#byTopic.get(EVERY_TOPIC) ?? []) this.#enqueue(group, seq)
    }
    if (this.#busy.size === 0) {
      this.handed = seq
      return
    }
    // Only now: hooks may emit meanwhile, and what is emitted later must not come to any group first.
    if (this.#awaiting.add(seq, bytes) > MAX_AWAITING) this.#run(Slice.unbounded())
    else this.#schedule()
  }

  beforeReset(): void {
    this.#run(Slice.unbounded())
    for (const connection of this.connections) connection.fallBehind()
  }

  onReset(): void {
    this.handed = this.log.head
    // Numbers begin anew, and so does the count.
    this.#awaiting = new Awaiting()
    for (const connection of this.connections) connection.catchUp()
  }

  /** The checkpoint at the head, for a connection that has been sent all that is for it. */
  checkpoint(): Uint8Array {
    const cursor = formatCursor(this.log.epoch, this.log.head)
    if (cursor !== this.#checkpointed.cursor) this.#checkpointed = { cursor, bytes: encodeBytes({ id: cursor }) }
    return this.#checkpointed.bytes
  }

  #enqueue(group: Group, seq: number): void {
    // Who is behind finds the event in the log.
    if (group.live.size === 0) return
    group.pending.push(seq)
    this.#busy.add(group)
  }

  #schedule(): void {
    if (this.#scheduled) return
    this.#scheduled = true
    nextTurn(() => {
      this.#scheduled = false
      let done = false
      try {
        done = this.#run(new Slice())
      } finally {
        // Also when one of the connections throws: the others are owed the rest.
        if (!done) this.#schedule()
      }
    })
  }

  /** Hands on what there is, one batch of each group in turn. False when the time is over before all is done. */
  #run(slice: Slice): boolean {
    for (const group of this.#busy) {
      const batch = (group.batch ??= this.#nextBatch(group))
      if (batch && !slice.each(batch.connections, (connection) => connection.deliver(batch))) break
      group.batch = undefined
      group.deflate?.release()
      // Behind the others, when there is more.
      this.#busy.delete(group)
      if (group.pending.length > 0 && group.size > 0) this.#busy.add(group)
    }
    this.handed = this.#leastHanded()
    this.#awaiting.handed(this.handed, this.log.head)
    return this.#busy.size === 0
  }

  #nextBatch(group: Group): Batch | undefined {
    const { pending } = group
    if (group.live.size === 0) {
      group.pending = []
      return undefined
    }
    const { bytes, last } = this.log.pick(pending, BATCH_BYTES)
    group.pending = last === pending.at(-1) ? [] : pending.slice(pending.indexOf(last) + 1)
    group.deflate?.encode(bytes)
    return { bytes, first: pending[0]!, last, connections: group.live.values() }
  }

  #leastHanded(): number {
    let least = this.log.head
    for (const { batch, pending } of this.#busy) least = Math.min(least, (batch?.first ?? pending[0] ?? Infinity) - 1)
    return least
  }

  #groupsOf(topic: string | symbol): Set<Group> {
    let groups = this.#byTopic.get(topic)
    if (!groups) this.#byTopic.set(topic, (groups = new Set()))
    return groups
  }

  #drop(group: Group): void {
    this.#groups.delete(groupKey(group.topics))
    this.#busy.delete(group)
    for (const topic of indexed(group.topics)) {
      const groups = this.#byTopic.get(topic)
      groups?.delete(group)
      if (groups?.size === 0) this.#byTopic.delete(topic)
    }
  }
}

/** Under what a group is found when an event has a topic. */
function indexed(topics: Topics): readonly (string | symbol)[] {
  return topics === '*' ? [EVERY_TOPIC] : topics
}

function groupKey(topics: Topics): string {
  return JSON.stringify(topics)
}
