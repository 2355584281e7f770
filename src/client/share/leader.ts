import type { Ready } from '../../wire/control.ts'
import { MAX_DELAY } from '../../wire/decode.ts'
import { createGate } from '../gate.ts'
import type { Item, Recent } from './recent.ts'
import type { Stream } from '../reconnect.ts'
import { pack, type Message, type Notice, type Piece } from './message.ts'
import { answer, isNext, placeOf, take, type Tab } from './tab.ts'
import type { Status } from '../status.ts'

/** The one who holds the connection. */
export interface Leader {
  hear(message: Message): void
  /** This tab's own stream has got further. */
  onMove(): void
  stop(): void
}

/** How long what the former leader has said may still be on its way, in ms. */
const STRAGGLING = 100

/** How much is said in one go: so many items, or so many characters of data. */
const BATCH = 100
const BATCH_CHARS = 1 << 18

/**
 * Leads: connects, and tells the others what comes, the own tab too. `vacant` when there has been nobody to lead before.
 * `onOver` is called when the stream is over for all.
 */
export function lead(tab: Tab, post: (message: Message) => void, vacant: boolean, onOver: () => void): Leader {
  const { stream, recent, feed } = tab
  const { sink, position } = stream
  const controller = new AbortController()
  const { signal } = controller
  const gate = createGate(MAX_DELAY, () => {})
  let begun = false
  let busy = false
  /** What has been read and waits for its turn: at most what came with one read. */
  const inbox: Item[] = []
  let status: Status | undefined
  let ready: Ready | undefined
  /** The furthest that another tab has got, as far as that was asked; and the number that was asked for. */
  let reached = 0
  let asked = 0

  const here = (): Piece => ({ gen: recent.gen, after: recent.last, id: recent.id, items: [] })
  const say = (notice: Notice = {}, piece: Piece = here()): void => {
    if (!signal.aborted) post({ kind: 'news', term: tab.term, ...piece, ...notice })
  }
  const push = (item: Item): void => {
    if (signal.aborted) return
    inbox.push(item)
    // What comes in one piece is told in one piece.
    if (inbox.length === 1) queueMicrotask(() => void spread())
  }

  /** Tells all what has come, no faster than the fastest of them takes it: what nobody has got must not be dropped. */
  const spread = async (): Promise<void> => {
    if (busy) return
    busy = true
    while (inbox.length > 0 && !signal.aborted) {
      if (isFar()) {
        if (asked < recent.last) say({ reach: (asked = recent.last) })
        await gate.until(() => signal.aborted || !isFar())
        continue
      }
      const piece = { ...here(), items: inbox.splice(0, batchOf(inbox)) }
      for (const item of piece.items) recent.push(item)
      // The others first: what this tab does with it may take long.
      say({}, piece)
      feed.pump()
    }
    busy = false
    gate.check()
  }
  const isFar = (): boolean => recent.isFar(Math.max(feed.at, reached))
  const room = (): Promise<void> | undefined => (inbox.length > 0 ? gate.until(() => signal.aborted || inbox.length === 0) : undefined)

  const shared = (): Stream => ({
    ...stream,
    signal,
    position: {
      ...position,
      get received() {
        return inbox.at(-1)?.id ?? recent.id
      },
    },
    onStatus(next) {
      status = next
      say({ status: pack(next) })
      feed.onStatus(next)
    },
    sink: {
      room,
      onEnd: (url) => sink.onEnd(url),
      onMessage(message) {
        push({ id: message.id, message })
        return undefined
      },
      onCursor: (id) => push({ id }),
      onGap: (gap) => push({ id: inbox.at(-1)?.id ?? recent.id, gap }),
      onReady(next) {
        ready = next
        say({ ready })
        feed.onReady(next)
      },
      onError(error) {
        say({ fault: pack({ error }) })
        sink.onError(error)
      },
    },
  })

  const run = async (): Promise<void> => {
    tab.term = Math.max(tab.term + 1, Date.now() + Math.random())
    post({ kind: 'claim', term: tab.term, place: placeOf(tab) })
    if (!vacant) await pause(STRAGGLING)
    if (signal.aborted) return
    if (recent.over) return onOver()
    if (recent.gen === undefined) {
      recent.begin(Math.random().toString(36).slice(2), 0, position.received)
      feed.jump(0)
    }
    begun = tab.joined = true
    say()
    const closed = await tab.connectAlone(shared())
    if (signal.aborted) return
    push({ id: inbox.at(-1)?.id ?? recent.id, closed: pack(closed) })
    await room()
    if (!signal.aborted) onOver()
  }
  void run()

  return {
    hear(message) {
      if (!begun) {
        listen(tab, message)
        // Who has heard the claim before the former leader's last word has not believed that.
        if (recent.over) say({}, ending(recent))
      } else if (message.kind === 'ping') say()
      else if (message.kind === 'hello') {
        say({ to: message.place.from, answer: answer(recent, message.place), status: status && pack(status), ready })
      } else if (message.kind === 'reached') {
        // A number of a former leader's may be one that is yet to come.
        if (message.number <= recent.last) reached = Math.max(reached, message.number)
        gate.check()
      }
    },
    onMove: () => gate.check(),
    stop() {
      controller.abort()
      gate.check()
    },
  }
}

/** The end of a stream that is over. */
function ending(recent: Recent): Piece {
  const after = recent.last - 1
  return { gen: recent.gen, after, id: recent.idAt(after)!, items: recent.after(after) }
}

/** How many items are told in one go. */
function batchOf(items: readonly Item[]): number {
  let count = 0
  for (let chars = 0; count < Math.min(BATCH, items.length) && chars < BATCH_CHARS; count++)
    chars += items[count]!.message?.data.length ?? 0
  return count
}

/** Lets time pass, in ms. Not by a timer, which fires once a second in a hidden tab, but by messages that come back. */
async function pause(ms: number): Promise<void> {
  const until = performance.now() + ms
  const name = Math.random().toString(36)
  const [near, far] = [new BroadcastChannel(name), new BroadcastChannel(name)]
  while (performance.now() < until) {
    await new Promise((resolve) => {
      far.addEventListener('message', resolve, { once: true })
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows; a channel has its own
      near.postMessage('')
    })
  }
  near.close()
  far.close()
}

/** Before it begins, a leader takes what others have heard more than itself, and what the former one has yet to say. */
function listen(tab: Tab, message: Message): void {
  const { recent, id } = tab
  const piece = message.kind === 'news' ? message : message.kind === 'ahead' && message.to === id ? message.answer : undefined
  if (!piece) return
  const begins = recent.gen === undefined && message.kind === 'ahead'
  if (begins || isNext(recent, piece)) take(tab, piece)
}
