import { isThenable } from '../awaitable.ts'
import type { Gap } from '../wire/control.ts'
import type { DecodedMessage } from '../wire/decode.ts'
import { emptyEntry, readEntry, type Delivery, type Entry, type EntryReader } from './entry.ts'
import { createGate } from './gate.ts'
import type { Closed } from './status.ts'

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
  /** Handlers have kept others waiting for very long; `message` is what the last of them is at, if there is one. */
  readonly onStalled: (message: DecodedMessage | undefined) => void
  /** All handlers have finished with what came up to this cursor. */
  readonly onCommit: (cursor: string) => void
}

/** What the stream has brought and handlers have yet to finish with. */
export interface Queue {
  /**
   * Adds a handler of one event, or of all when `name` is undefined. Gives the function that removes it. `onEnd` is called
   * when nothing more will come for it.
   */
  add(name: string | undefined, handler: Handler, onEnd?: (end: Closed) => void): () => void
  /** Takes an event, or a gap; with neither, a checkpoint, which only moves the cursor. `id` is the last event id in force behind it. */
  push(id: string, message?: DecodedMessage, gap?: Gap): void
  /** Whether as much waits as may. */
  full(): boolean
  /** Waits until less waits than may; `undefined` when there is no need to. */
  readonly room: () => Promise<void> | undefined
  /** Resolves when all has been handled but what waits for a handler that is not there. */
  idle(): Promise<void>
  /**
   * Nothing more comes. After `aborted`, nothing more is handed out: it stays uncommitted, for whoever resumes from the cursor.
   * Gives whether there is an `onEnd` that hears of it.
   */
  end(end: Closed): boolean
}

/** One handler and its place. */
interface Consumer {
  readonly name: string | undefined
  readonly handler: Handler
  readonly onEnd: ((end: Closed) => void) | undefined
  /** The entry that it is at, or waits for. */
  at: Entry
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
  /** Replaced, and never changed, as it may be while it is gone through. */
  let consumers: readonly Consumer[] = []
  /** The oldest entry that is not finished, the empty one at the end, and how many there are from here to there. */
  let head = emptyEntry(0)
  let tail = head
  let count = 0
  let pumping = false
  let over: Closed | undefined
  let stopped = false

  const remove = (consumer: Consumer): void => {
    consumers = consumers.filter((other) => other !== consumer)
  }
  /** Whether a handler is at this entry, or waits for it. */
  const held = (entry: Entry): boolean => consumers.some(({ at }) => at === entry)
  const full = (): boolean => count >= limit
  const gate = createGate(STALLED, () => {
    const busy = consumers.filter((consumer) => consumer.busy)
    options.onStalled(busy.sort((a, b) => a.at.number - b.at.number)[0]?.at.message)
  })

  /** Hands out what there is, the oldest first, so that events reach different handlers in their order too. */
  const pump = (): void => {
    // A handler that adds another one must not start the next event before this one has reached everybody.
    if (pumping) return
    pumping = true
    for (;;) {
      let entry = tail
      for (const { busy, at } of consumers) if (!busy && at.number < entry.number) entry = at
      if (stopped || entry === tail) break
      tell(entry)
      for (const consumer of consumers) if (!stopped && !consumer.gone && !consumer.busy && consumer.at === entry) offer(consumer, entry)
    }
    pumping = false
    settle()
    if (over) for (const { busy, at, gone, onEnd } of consumers) if (!gone && (stopped || (!busy && at === tail))) onEnd?.(over)
  }

  const tell = (entry: Entry): void => {
    const { gap } = entry
    entry.gap = undefined
    if (gap) options.onGap(gap)
  }

  const offer = (consumer: Consumer, entry: Entry): void => {
    const { message } = entry
    if (message && wants(consumer.name, message)) {
      consumer.busy = true
      try {
        const event = readEntry(entry, message, options)
        const result = isThenable(event) ? event.then((read) => handle(consumer, entry, read)) : handle(consumer, entry, event)
        if (isThenable(result)) return finish(consumer, entry, message, result)
      } catch (error) {
        options.onHandlerError(error, message)
      }
    }
    leave(consumer, entry)
  }

  const handle = (consumer: Consumer, entry: Entry, event: Delivery | null): unknown => {
    // What is not handed out any more is not finished with either.
    if (stopped) return new Promise(() => {})
    if (!event || consumer.gone) return undefined
    entry.taken = true
    return consumer.handler(event)
  }

  const finish = (consumer: Consumer, entry: Entry, message: DecodedMessage, result: PromiseLike<unknown>): void => {
    // Started from a resolved promise, so that a thenable that throws is caught too.
    void Promise.resolve(result)
      .catch((error: unknown) => options.onHandlerError(error, message))
      .then(() => {
        leave(consumer, entry)
        pump()
      })
  }

  const leave = (consumer: Consumer, entry: Entry): void => {
    consumer.busy = false
    consumer.at = entry.next!
    if (consumer.gone) remove(consumer)
  }

  /** Moves the cursor behind what all have finished with, and no further: it never passes an event under way. */
  const settle = (): void => {
    while (head !== tail && (consumers.length > 0 ? !held(head) : head.taken || !(head.message || head.dropped))) {
      const finished = head
      head = head.next!
      // A chain from an old entry, collected late, would keep all that followed it from being collected early.
      finished.next = undefined
      count--
      tell(finished)
    }
    if (head.cursor !== undefined) options.onCommit(head.cursor)
    gate.check()
  }

  /** Drops the oldest event that no handler is at. For those who miss it there is a gap in its place. */
  const drop = (): void => {
    let before: Entry | undefined
    let entry = head
    while (entry !== tail && (entry.gap || held(entry))) {
      before = entry
      entry = entry.next!
    }
    if (entry === tail) return
    const { message, number, cursor = '' } = entry
    const waiting = ({ at, name, gone }: Consumer): boolean => !gone && at.number <= number && wants(name, message)
    const missed = consumers.some(({ gone }) => !gone) ? consumers.some(waiting) : message && !entry.taken
    let newer = entry.next!
    while (newer.next && !newer.message) newer = newer.next
    const oldest = newer.message?.id ?? ''
    const merged = before?.dropped ? before.gap : undefined
    if (missed && !merged) {
      Object.assign(entry, { message: undefined, dropped: true, gap: { reason: 'overflow', requested: cursor, oldest } })
      return
    }
    if (missed) Object.assign(before!, { gap: { ...merged, oldest } })
    if (before) before.next = entry.next!
    else head = entry.next!
    count--
  }

  return {
    full,
    add(name, handler, onEnd) {
      let at = head
      for (let entry = head; entry !== tail; entry = entry.next!) if (entry.taken && wants(name, entry.message)) at = entry.next!
      const consumer: Consumer = { name, handler, onEnd, at, busy: false, gone: false }
      consumers = [...consumers, consumer]
      // What waits is handed out when the caller is done: it may add more handlers, and has to hold the function returned.
      queueMicrotask(pump)
      return () => {
        // What it was not handed stays uncommitted.
        if (stopped) return
        consumer.gone = true
        if (!consumer.busy) remove(consumer)
        queueMicrotask(pump)
      }
    },
    push(id, message, gap) {
      if (stopped) return
      if (message || gap) {
        tail.message = message
        tail.gap = gap
        tail = tail.next = emptyEntry(tail.number + 1, id)
        count++
      } else tail.cursor = id
      pump()
      if (dropOldest && count > limit) drop()
    },
    room: () => (stopped || dropOldest || !full() ? undefined : gate.until(() => stopped || !full())),
    idle: () => gate.until(() => stopped || consumers.every(({ busy, at }) => !busy && at === tail)),
    end(end) {
      over ??= end
      stopped ||= end.reason === 'aborted'
      const heard = consumers.some(({ onEnd }) => onEnd !== undefined)
      pump()
      return heard
    },
  }
}

function wants(name: string | undefined, message: DecodedMessage | undefined): boolean {
  return message !== undefined && (name === undefined || name === message.event)
}
