import type { Gap } from '../wire/control.ts'
import type { DecodedMessage } from '../wire/decode.ts'
import { readEntry, type Delivery, type Entry, type EntryReader } from './entry.ts'
import { createGate } from './gate.ts'

/** Takes an event; a promise that it returns is awaited before its next. */
export type Handler = (event: Delivery) => unknown

/** What a queue is made of. */
export interface QueueOptions extends EntryReader {
  /** How many entries may wait. */
  readonly limit: number
  /** Whether the oldest that wait are dropped beyond that. */
  readonly dropOldest: boolean
  readonly onGap: (gap: Gap) => void
  readonly onHandlerError: (error: unknown, message: DecodedMessage) => void
  /** Handlers have kept others waiting for very long; `message` is what one of them is at, if there is one. */
  readonly onStalled: (message: DecodedMessage | undefined) => void
  /** All handlers have finished with what came up to this cursor. */
  readonly onCommit: (cursor: string) => void
}

/** What the stream has brought and handlers have yet to finish with. */
export interface Queue {
  /** Adds a handler of one event, or of all when `name` is undefined. Gives the function that removes it. */
  add(name: string | undefined, handler: Handler): () => void
  /** Takes an event, a gap, or a checkpoint. */
  push(entry: Entry): void
  /** Whether as much waits as may. */
  full(): boolean
  /** Waits until less waits than may; `undefined` when there is no need to. */
  room(): Promise<void> | undefined
  /** Resolves when all has been handled but what waits for a handler that is not there. */
  idle(): Promise<void>
  /** Hands out nothing more. What was not handled stays uncommitted, for whoever resumes from the cursor. */
  stop(): void
}

/** One handler and its place: a cursor into the queue, as a connection is one into the server's log. */
interface Consumer {
  readonly name: string | undefined
  readonly handler: Handler
  /** The position of the entry that it is at, or waits for. */
  next: number
  busy: boolean
  gone: boolean
}

/** How long handlers may keep the stream waiting before that is reported, in ms. */
const STALLED = 30_000

/**
 * Makes an empty queue. Each handler takes one event at a time, in order, and none holds up another. An event waits while
 * there is no handler at all; a handler that is added hears what none of its kind has begun with.
 */
export function createQueue(options: QueueOptions): Queue {
  const { limit, dropOldest } = options
  const consumers = new Set<Consumer>()
  let entries: Entry[] = []
  /** Positions count all that was ever pushed: that of `entries[0]`, and that of the oldest entry which is not finished. */
  let offset = 0
  let first = 0
  let committed = ''
  let pumping = false
  let stopped = false
  const gate = createGate(STALLED, () => {
    const slow = [...consumers].find(({ busy }) => busy)
    options.onStalled(slow && at(slow.next)?.message)
  })

  const at = (position: number): Entry | undefined => entries[position - offset]
  const end = (): number => offset + entries.length
  const full = (): boolean => end() - first >= limit
  const some = (test: (consumer: Consumer) => boolean): boolean => {
    for (const consumer of consumers) if (test(consumer)) return true
    return false
  }

  /** Hands out what there is, the oldest first, so that events reach different handlers in their order too. */
  const pump = (): void => {
    // A handler that adds another one must not start the next event before this one has reached everybody.
    if (pumping) return
    pumping = true
    for (;;) {
      let position = end()
      for (const { busy, next } of consumers) if (!busy && next < position && !held(next)) position = next
      const entry = at(position)
      if (!entry) break
      tell(entry)
      for (const consumer of consumers) if (!consumer.busy && consumer.next === position) offer(consumer, entry)
    }
    pumping = false
    settle()
  }

  /** Whether a gap has to wait: its place is behind all that came before it, slow handlers included. */
  const held = (position: number): boolean => at(position)?.gap !== undefined && some(({ next }) => next < position)

  const tell = (entry: Entry): void => {
    const { gap } = entry
    if (!gap) return
    entry.gap = undefined
    options.onGap(gap)
  }

  const offer = (consumer: Consumer, entry: Entry): void => {
    const { message } = entry
    if (!message || !wants(consumer.name, message)) return void consumer.next++
    const handle = (event: Delivery | undefined): unknown => {
      if (!event || consumer.gone) return undefined
      entry.taken = true
      return consumer.handler(event)
    }
    const finish = (): void => {
      consumer.busy = false
      consumer.next++
      if (consumer.gone) consumers.delete(consumer)
    }
    const fail = (error: unknown): void => options.onHandlerError(error, message)
    consumer.busy = true
    try {
      const event = readEntry(entry, message, options)
      const result = event instanceof Promise ? event.then(handle) : handle(event)
      if (isThenable(result)) {
        // Started from a resolved promise, so that a thenable that throws is caught too.
        void Promise.resolve(result)
          .catch(fail)
          .then(() => {
            finish()
            pump()
          })
        return
      }
    } catch (error) {
      fail(error)
    }
    finish()
  }

  /** Moves the cursor behind what all have finished with, and no further: it never passes an event under way. */
  const settle = (): void => {
    for (let entry = at(first); entry; entry = at(first)) {
      const finished = consumers.size > 0 ? !some(({ next }) => next <= first) : entry.taken || !(entry.message || entry.dropped)
      if (!finished) break
      first++
      tell(entry)
      committed = entry.id
      options.onCommit(committed)
    }
    if (first - offset > entries.length / 2) {
      entries = entries.slice(first - offset)
      offset = first
    }
    gate.check()
  }

  /** Drops the oldest event that no handler is at. For those who miss it there is a gap in its place. */
  const drop = (): void => {
    let position = first
    while (at(position)?.gap || some(({ busy, next }) => busy && next === position)) position++
    const { message, taken, id } = at(position) ?? {}
    if (id === undefined) return
    const waiting = ({ next, name, gone }: Consumer): boolean => !gone && next <= position && wants(name, message)
    const missed = some(({ gone }) => !gone) ? some(waiting) : message && !taken
    const before = at(position - 1)
    const oldest = entries.slice(position - offset + 1).find((entry) => entry.message)?.id ?? ''
    if (missed && !(before?.dropped && before.gap)) {
      entries[position - offset] = { id, gap: { reason: 'overflow', requested: before?.id ?? committed, oldest }, dropped: true }
      return
    }
    if (missed) Object.assign(before!, { id, gap: { ...before!.gap, oldest } })
    entries.splice(position - offset, 1)
    for (const consumer of consumers) if (consumer.next > position) consumer.next--
  }

  return {
    full,
    add(name, handler) {
      let next = end()
      for (let entry = at(next - 1); next > first && !(entry?.taken && wants(name, entry.message)); entry = at(next - 1)) next--
      const consumer: Consumer = { name, handler, next, busy: false, gone: false }
      consumers.add(consumer)
      // What waits is handed out when the caller is done: it may add more handlers, and has to hold the function returned.
      queueMicrotask(pump)
      return () => {
        consumer.gone = true
        if (!consumer.busy) consumers.delete(consumer)
        queueMicrotask(pump)
      }
    },
    push(entry) {
      if (stopped) return
      entries.push(entry)
      pump()
      if (dropOldest && end() - first > limit) drop()
    },
    room: () => (stopped || dropOldest || !full() ? undefined : gate.until(() => stopped || !full())),
    idle: () => gate.until(() => stopped || !some(({ busy, next }) => busy || next < end())),
    stop() {
      stopped = true
      const kept = Math.min(...Array.from(consumers, ({ next, busy }) => next + Number(busy)))
      settle()
      entries.length = Math.max(0, Math.min(end(), consumers.size > 0 ? kept : first) - offset)
      for (const consumer of consumers) {
        consumer.gone = true
        if (!consumer.busy) consumers.delete(consumer)
      }
      settle()
    },
  }
}

function wants(name: string | undefined, message: DecodedMessage | undefined): boolean {
  return message !== undefined && (name === undefined || name === message.event)
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined | null)?.then === 'function'
}
