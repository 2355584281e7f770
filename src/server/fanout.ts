import { encodeBytes } from '../wire/encode.ts'
import type { StreamConnection } from './connection.ts'
import { formatCursor } from './cursor.ts'
import { Heartbeat } from './heartbeat.ts'
import type { Log, LogEntry, LogListener } from './log.ts'
import { join } from './sink.ts'
import { createCounters } from './stats.ts'
import type { Topics } from './topics.ts'

/** A group that has this much to write does not wait for the end of the tick. */
const FLUSH_BYTES = 256 << 10

/** Not a topic, so that a topic named `*` is one like any other. */
const EVERY_TOPIC = Symbol('every topic')

// Where there is no setImmediate (Workers, browsers) a timer of 0 ms is the next tick too.
const nextTick: (run: () => void) => unknown = globalThis.setImmediate ?? ((run: () => void) => setTimeout(run, 0))

/** Connections with the same topics, which share the bytes of every write. */
export interface Group {
  readonly topics: Topics
  /** The connections that have read to the head: they are handed what is new. */
  readonly live: Set<StreamConnection>
  /** How many connections it has, live or not. */
  size: number
  /** What its live connections have yet to be sent in this tick. */
  pending: LogEntry[]
  pendingBytes: number
}

/** Carries what the log appends to the connections: what is published in one tick leaves in one write. */
export class Fanout implements LogListener {
  readonly counters = createCounters()
  readonly #heartbeat: Heartbeat<StreamConnection>
  readonly #groups = new Map<string, Group>()
  readonly #byTopic = new Map<string | symbol, Set<Group>>()
  readonly #dirty = new Set<Group>()
  #scheduled = false
  /** The latest checkpoint: most connections are sent the same. */
  #checkpointed = { cursor: '', bytes: new Uint8Array() }

  constructor(
    readonly log: Log,
    heartbeat: number,
    stallTimeout: number,
  ) {
    this.#heartbeat = new Heartbeat(heartbeat, stallTimeout)
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
      group = { topics, live: new Set(), size: 0, pending: [], pendingBytes: 0 }
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

  onAppend(entry: LogEntry): void {
    if (entry.topic === undefined) {
      for (const group of this.#groups.values()) this.#enqueue(group, entry)
      return
    }
    for (const topic of [entry.topic, EVERY_TOPIC]) {
      for (const group of this.#byTopic.get(topic) ?? []) this.#enqueue(group, entry)
    }
  }

  onEpoch(): void {
    this.#flushAll()
    for (const connection of this.connections) connection.rewind()
  }

  /** Writes what a group has pending to its live connections. */
  flush(group: Group): void {
    const { pending } = group
    const last = pending.at(-1)
    if (!last) return
    group.pending = []
    group.pendingBytes = 0
    this.#dirty.delete(group)
    const bytes = join(pending)
    for (const connection of group.live) connection.deliver(bytes, last.seq)
  }

  /** The checkpoint at the head, for a connection that has been sent all that is for it. */
  checkpoint(): Uint8Array {
    const cursor = formatCursor(this.log.epoch, this.log.head)
    if (cursor !== this.#checkpointed.cursor) this.#checkpointed = { cursor, bytes: encodeBytes({ id: cursor }) }
    return this.#checkpointed.bytes
  }

  #enqueue(group: Group, entry: LogEntry): void {
    // Who is behind finds the event in the log.
    if (group.live.size === 0) return
    group.pending.push(entry)
    group.pendingBytes += entry.bytes.byteLength
    this.#dirty.add(group)
    if (group.pendingBytes >= FLUSH_BYTES) return this.flush(group)
    if (this.#scheduled) return
    this.#scheduled = true
    nextTick(() => {
      this.#scheduled = false
      this.#flushAll()
    })
  }

  #flushAll(): void {
    for (const group of this.#dirty) this.flush(group)
  }

  #groupsOf(topic: string | symbol): Set<Group> {
    let groups = this.#byTopic.get(topic)
    if (!groups) this.#byTopic.set(topic, (groups = new Set()))
    return groups
  }

  #drop(group: Group): void {
    this.#groups.delete(groupKey(group.topics))
    this.#dirty.delete(group)
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
