import { unpack, type Fault, type Message, type News } from './message.ts'
import { placeOf, take, type Tab } from './tab.ts'
import type { Status } from '../status.ts'

/** One who hears from a leader. */
export interface Follower {
  /** Asks the leader for what has been missed. */
  ask(): void
  hear(news: News): void
  /** This tab's own stream has got further. */
  onMove(): void
  /** Whether the leader waits before it connects again. */
  readonly waiting: boolean
}

/** After how long a question that was not answered is asked again, in ms. */
const AGAIN = 200

/** Follows whoever leads. */
export function follow(tab: Tab, post: (message: Message) => void): Follower {
  const { stream, recent, feed } = tab
  let asked = -Infinity
  let reach = Infinity
  let waiting = false

  const ask = (): void => {
    tab.joined = false
    if (performance.now() - asked < AGAIN) return
    asked = performance.now()
    post({ kind: 'hello', place: placeOf(tab) })
  }

  const notice = ({ status, ready, fault, reach: number }: News): void => {
    if (status) {
      waiting = 'retryAt' in status
      feed.onStatus(unpack<Status>(status))
    }
    if (ready) feed.onReady(ready)
    const { error } = fault ? unpack<Fault>(fault) : {}
    if (error) stream.sink.onError(error)
    if (number !== undefined) {
      reach = number
      onMove()
    }
  }

  const onMove = (): void => {
    if (feed.at < reach) return
    reach = Infinity
    post({ kind: 'reached', number: feed.at })
  }

  const welcome = (news: News): void => {
    const { to, answer, ready } = news
    // Asked twice, the first answer was the one.
    if (to !== tab.id || !answer || tab.joined) return
    asked = -Infinity
    tab.joined = true
    take(tab, answer)
    const { resumed, items } = answer
    notice({ ...news, ready: ready && { ...ready, resumed, replayed: items.filter(({ message }) => message).length } })
  }

  return {
    ask,
    onMove,
    get waiting() {
      return waiting
    },
    hear(news) {
      if (news.to !== undefined) return welcome(news)
      const { gen, after, id, items } = news
      if (!tab.joined || !recent.knows(gen, after, id)) return ask()
      // A new leader has begun further back: what it brings takes the place of what there is.
      if (items.length > 0 && after < recent.last) feed.rewind(after, recent.rewind(after))
      for (const item of items) {
        recent.push(item)
        if (item.message) stream.trace?.({ type: 'message', message: item.message })
      }
      feed.pump()
      notice(news)
    },
  }
}
