import { onTestFinished } from 'vitest'
import type { EventwireError } from 'eventwire'
import { createSubscriber, type Gap, type Status, type Subscriber, type SubscriberOptions } from 'eventwire/client'
import { market, type Market } from './market.ts'

export interface Subscribed {
  readonly stream: Subscriber<Market>
  readonly statuses: readonly Status[]
  readonly gaps: readonly Gap[]
  readonly errors: readonly EventwireError[]
  /** Waits until the status has a state. */
  status(test: (status: Status) => boolean): Promise<Status>
}

/** A subscriber of the market that reconnects at once, and what it tells. It is closed at the end of the test. */
export function subscribe(url: string | (() => string), options: SubscriberOptions = {}): Subscribed {
  const stream = createSubscriber(market, url, { backoff: { base: 1, max: 1 }, ...options })
  onTestFinished(() => stream.close())
  const statuses: Status[] = []
  const gaps: Gap[] = []
  const errors: EventwireError[] = []
  const waiting = new Set<(status: Status) => void>()
  stream.onStatus((status) => {
    statuses.push(status)
    for (const tell of waiting) tell(status)
  })
  stream.onGap((gap) => gaps.push(gap))
  stream.onError((error) => errors.push(error))
  const status = (test: (status: Status) => boolean): Promise<Status> =>
    new Promise((resolve) => {
      const tell = (next: Status): void => {
        if (!test(next)) return
        waiting.delete(tell)
        resolve(next)
      }
      waiting.add(tell)
    })
  return { stream, statuses, gaps, errors, status }
}

/** Collects what a handler is called with, and waits for a number of calls. */
export function collector<T>(): { readonly items: T[]; take(item: T): void; reach(count: number): Promise<T[]> } {
  const items: T[] = []
  let wake = Promise.withResolvers<void>()
  return {
    items,
    take(item) {
      items.push(item)
      wake.resolve()
      wake = Promise.withResolvers()
    },
    async reach(count) {
      while (items.length < count) await wake.promise
      return items
    },
  }
}
