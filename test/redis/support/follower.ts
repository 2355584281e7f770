import { onTestFinished } from 'vitest'
import type { EventwireError } from 'eventwire'
import { createSubscriber, type Gap, type Status } from 'eventwire/client'
import type { Topics } from 'eventwire/server'
import { events } from './events.ts'
import type { Account, Heard } from './ledger.ts'

/** A subscriber, and the account that it gives. */
export interface Follower extends Account {
  readonly status: Status
  readonly errors: readonly EventwireError[]
  /** How long it took from the end of a stream until the next one was open, in ms, each time. */
  readonly takeovers: readonly number[]
  /** The last id that it was told. */
  readonly at: string
  /** Resolves when its first stream is open, and where it begins is known. */
  readonly opened: Promise<void>
  /** Resolves when it has heard a text, or at once if it has before. */
  hears(text: string): Promise<void>
  /** From here on it hears nothing more. */
  close(): void
}

/** Subscribes; behind `since` if that is given, and else at the head. It is closed at the end of the test. */
export function follow(url: string, topics: Topics, since?: string): Follower {
  const query = new URLSearchParams((topics === '*' ? ['*'] : topics).map((topic) => ['topic', topic]))
  const notes: (Heard | Gap)[] = []
  const errors: EventwireError[] = []
  const takeovers: number[] = []
  const opened = Promise.withResolvers<void>()
  const awaited = new Map<string, () => void>()
  let began = since ?? ''
  let lost: number | undefined

  const stream = createSubscriber(events, `${url}?${query}`, {
    lastEventId: since,
    // As soon as it may.
    backoff: { base: 1, max: 1 },
    onTrace(trace) {
      if (trace.type !== 'commit') return
      began ||= trace.lastEventId
      opened.resolve()
    },
  })
  onTestFinished(() => stream.close())
  stream.onStatus((status) => {
    if (status.state === 'connecting' && status.retryAt !== undefined && began !== '') lost ??= performance.now()
    if (status.state !== 'open' || status.resumed === undefined || lost === undefined) return
    takeovers.push(performance.now() - lost)
    lost = undefined
  })
  stream.onGap((gap) => notes.push(gap))
  stream.onError((error) => errors.push(error))
  stream.on('step', (text, { id }) => {
    notes.push({ id, text })
    awaited.get(text)?.()
  })

  return {
    topics,
    notes,
    errors,
    takeovers,
    opened: opened.promise,
    get began() {
      return began
    },
    get status() {
      return stream.status
    },
    get at() {
      return stream.lastEventId
    },
    hears: (text) =>
      new Promise((resolve) => {
        if (notes.some((note) => 'text' in note && note.text === text)) resolve()
        else awaited.set(text, resolve)
      }),
    close: stream.close,
  }
}
