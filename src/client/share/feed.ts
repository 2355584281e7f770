import type { Gap, Ready } from '../../wire/control.ts'
import type { DecodedMessage } from '../../wire/decode.ts'
import type { Item, Recent } from './recent.ts'
import type { Share, Stream } from '../reconnect.ts'
import type { Outcome } from '../response.ts'
import { unpack } from './message.ts'
import type { Closed, Status } from '../status.ts'

/** Feeds a tab's own stream from what all tabs have heard. */
export interface Feed {
  /** The number of the newest item that the stream has been fed. */
  readonly at: number
  /** There is something new. */
  pump(): void
  /** Goes on behind a number. */
  jump(number: number): void
  /** What lies behind a number was taken back: it comes again, from a leader that does not know of it. */
  rewind(number: number, taken: readonly Item[]): void
  /** What follows the stream's cursor is not to be had from the others: connects alone until it has caught up with them. */
  catchUp(): void
  onStatus(status: Status): void
  onReady(ready: Ready): void
  stop(): void
}

/** What a feed is made of. */
export interface FeedParts {
  readonly stream: Stream
  readonly recent: Recent
  readonly connectAlone: Parameters<Share>[1]
  /** It has got further. */
  readonly onMove: () => void
  /** The stream is over for this tab. */
  readonly onEnd: (closed: Closed) => void
}

/** What the stream had been fed of items that come again. */
interface Had {
  readonly ids: ReadonlySet<string>
  readonly last: string
  /** A gap that may concern others only: it depends on whether what follows is known. */
  gap?: Gap | undefined
}

/** Makes a feed that stands before the first item. */
export function createFeed({ stream, recent, connectAlone, onMove, onEnd }: FeedParts): Feed {
  const { sink, position, options } = stream
  let at = 0
  let busy = false
  let over = false
  let had: Had | undefined
  let shared: Status | undefined
  /** Ends the connection of its own, while there is one. */
  let alone: AbortController | undefined

  const end = (closed: Closed): void => {
    over = true
    onEnd(closed)
  }

  const run = async (): Promise<void> => {
    if (busy) return
    busy = true
    while (!over && !alone && at < recent.last) {
      const room = options.overflow === 'error' ? undefined : sink.room()
      // While it waits, what it would be fed may be dropped, or taken back.
      if (room) await room
      else if (at < recent.first - 1) fall()
      else feed(recent.at(++at)!)
      onMove()
    }
    busy = false
  }

  /** The stream has been so slow that what it has yet to be fed is gone. */
  const fall = (): void => {
    at = recent.first - 1
    had = undefined
    sink.onGap({ reason: 'overflow', requested: position.received.slice(0, 256), oldest: recent.idAt(recent.first)! })
  }

  const feed = (item: Item): void => {
    const { id, message, gap, closed } = item
    const own = id !== recent.idAt(at - 1)
    if (closed) return end(unpack<Closed>(closed))
    if (had && isKnown(had, item, own)) return
    if (gap) return sink.onGap(gap)
    if (!message) return sink.onCursor(id)
    // Without an id of its own, an event must not move the cursor back behind those that come again.
    deliver(had && !own ? { ...message, id: position.received } : message)
  }

  const deliver = (message: DecodedMessage): Outcome | undefined => {
    const outcome = sink.onMessage(message)
    if (outcome) end(outcome.kind === 'ended' ? { reason: 'ended' } : { reason: 'fatal', error: outcome.error })
    return outcome
  }

  /** Whether the stream has been fed an item before. A gap waits for what follows: that may be known. */
  const isKnown = (before: Had, { id, message, gap }: Item, own: boolean): boolean => {
    if (gap) {
      before.gap = gap
      return true
    }
    const known = (own || !message) && before.ids.has(id)
    if (before.gap && !known) sink.onGap(before.gap)
    before.gap = undefined
    if (own && id === before.last) had = undefined
    return known
  }

  const connect = async (): Promise<void> => {
    const controller = new AbortController()
    alone = controller
    // What it reads after it has met the others comes from them.
    const unlessMet = <T>(tell: () => T): T | undefined => {
      if (alone !== controller || over) return undefined
      const outcome = tell()
      meet()
      return outcome
    }
    const closed = await connectAlone({
      ...stream,
      signal: controller.signal,
      sink: {
        ...sink,
        onMessage: (message) => unlessMet(() => deliver(message)),
        onCursor: (id) => unlessMet(() => sink.onCursor(id)),
        onGap: (gap) => unlessMet(() => sink.onGap(gap)),
      },
    })
    if (alone === controller && !over) end(closed)
  }

  /** Looks whether its own connection has brought the stream to where the others are, or were of late. */
  const meet = (): void => {
    const number = position.received ? recent.find(position.received) : undefined
    if (number !== undefined && !over) jump(number)
  }

  const jump = (number: number): void => {
    at = number
    had = undefined
    if (alone) {
      alone.abort()
      alone = undefined
      if (shared && shared.state !== 'open') stream.onStatus(shared)
    }
    onMove()
    // Whoever has called this may have to tell first how events are read.
    queueMicrotask(() => void run())
  }

  return {
    get at() {
      return at
    },
    jump,
    pump() {
      if (alone) meet()
      void run()
    },
    rewind(number, taken) {
      if (alone || at <= number) return
      const fed = taken.slice(0, at - number)
      had = { ids: new Set([recent.id, ...fed.map(({ id }) => id)]), last: fed.at(-1)!.id }
      at = number
    },
    catchUp() {
      if (!alone && !over) void connect()
    },
    onStatus(status) {
      shared = status
      if (!alone && !over) stream.onStatus(status)
    },
    onReady(ready) {
      if (!alone && !over) sink.onReady(ready)
    },
    stop() {
      over = true
      alone?.abort()
    },
  }
}
