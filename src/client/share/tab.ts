import type { Recent } from './recent.ts'
import type { Share, Stream } from '../reconnect.ts'
import type { Feed } from './feed.ts'
import type { Answer, Piece, Place } from './message.ts'

/** One who shares a stream: mostly a tab, or one of several subscribers in it. */
export interface Tab {
  /** Tells it apart from the others, at random. */
  readonly id: string
  readonly stream: Stream
  readonly connectAlone: Parameters<Share>[1]
  /** What it has heard. */
  readonly recent: Recent
  /** What its own stream has got of that. */
  readonly feed: Feed
  /** The highest term that it has heard of. */
  term: number
  /** Whether it has heard everything up to the leader's last word. */
  joined: boolean
}

/** How far a tab has heard. */
export function placeOf({ id: from, stream, recent }: Tab): Place {
  const { gen, last } = recent
  return { from, gen, last, id: gen === undefined ? stream.position.received : recent.id }
}

/** What follows a place, as far as it is known. */
export function answer(recent: Recent, { gen, last, id }: Place): Answer {
  const found = recent.knows(gen, last, id) ? last : id ? recent.find(id) : undefined
  const after = found ?? recent.last
  return { gen: recent.gen, after, id: recent.idAt(after)!, items: recent.after(after), resumed: found !== undefined }
}

/** Whether a piece goes on where this side is. */
export function isNext(recent: Recent, { gen, after, id }: Piece): boolean {
  return after === recent.last && recent.knows(gen, after, id)
}

/** Goes on with a piece; with its beginning, if there is something between. */
export function take({ stream, recent, feed }: Tab, piece: Piece): void {
  const { gen, after, id, items } = piece
  const next = isNext(recent, piece)
  if (!next) recent.begin(gen, after, id)
  for (const item of items) recent.push(item)
  if (next) return feed.pump()
  const { received } = stream.position
  // Without a cursor it begins with what is new, and comes back to here, as it would by itself.
  if (!received && id) stream.sink.onCursor(id)
  const at = received ? recent.find(received) : after
  if (at === undefined) feed.catchUp()
  else feed.jump(at)
}
