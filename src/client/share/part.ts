import { elect } from './election.ts'
import { follow } from './follower.ts'
import { lead, type Leader } from './leader.ts'
import type { Message } from './message.ts'
import { answer, type Tab } from './tab.ts'

/** A tab's part in sharing a stream. */
export interface Part {
  /** The tab's own stream has got further. */
  onMove(): void
  /** Ends it. If this tab leads, the next one does from now on. */
  leave(): void
}

/** How often a tab looks whether its leader is alive, in ms; after how many looks in vain it asks, and after how many it leads itself. */
const LOOK = 250
const ASK = 2
const DEAD = 5

/** Takes part in sharing a stream: follows whoever leads, and leads when its turn comes. */
export function takePart(tab: Tab, name: string): Part {
  const channel = new BroadcastChannel(name)
  let leader: Leader | undefined
  let silence = 0
  let left = false
  const watching = new AbortController()

  const post = (message: Message): void => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows; a channel has its own
    if (!left) channel.postMessage(message)
  }
  const stepDown = (): void => {
    leader?.stop()
    leader = undefined
    silence = 0
  }
  const leave = (): void => {
    stepDown()
    left = true
    watching.abort()
    clearInterval(timer)
    election.leave()
    channel.close()
  }
  const follower = follow(tab, post)
  const election = elect(
    name,
    (vacant) => {
      leader = lead(tab, post, vacant, leave)
    },
    stepDown,
  )
  // Timers of hidden tabs are late: there it takes longer. The leader is asked, since its timers may be late too.
  const timer = setInterval(() => {
    if (leader) return
    silence++
    if (silence === ASK) post({ kind: 'ping' })
    if (silence < DEAD) return
    silence = 0
    election.steal()
  }, LOOK)

  /** Whether a term is the newest that there is. Who leads of an older one leads no more. */
  const believe = (term: number): boolean => {
    if (term < tab.term) return false
    if (term > tab.term) stepDown()
    tab.term = term
    silence = 0
    return true
  }

  /** By itself, a subscriber does not wait when its page is opened or comes to the front; nor does it wait for a leader that does. */
  const look = (): void => {
    if (globalThis.document?.visibilityState === 'visible' && follower.waiting && !leader) election.steal()
  }

  channel.addEventListener('message', ({ data: message }: MessageEvent<Message>) => {
    if (message.kind === 'claim') {
      const { from, gen, last } = message.place
      if (!believe(message.term)) return
      const { recent } = tab
      if (recent.gen !== undefined && (gen === undefined || (gen === recent.gen && last < recent.last))) {
        post({ kind: 'ahead', to: from, answer: answer(recent, message.place) })
      }
    } else if (message.kind === 'news' && believe(message.term)) {
      follower.hear(message)
      if (message.to === tab.id) look()
      if (tab.recent.over) leave()
    } else if (leader) leader.hear(message)
    // Somebody else has asked: there is no need to ask again.
    else if (message.kind === 'ping') silence = Math.max(silence, ASK)
  })
  globalThis.document?.addEventListener('visibilitychange', look, { signal: watching.signal })
  tab.joined = false
  follower.ask()

  return {
    leave,
    onMove() {
      leader?.onMove()
      follower.onMove()
    },
  }
}
