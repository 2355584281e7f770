import type { EventwireError } from '../errors.ts'
import { hookFailed } from './errors.ts'
import type { SubscriberOptions } from './options.ts'
import type { TraceEvent } from './trace.ts'

/** Where a subscriber is in its stream. */
export interface Position {
  /** The last event id received, which the next request brings. */
  readonly received: string
  /** The cursor: the last event id behind which nothing has to be done again. */
  readonly committed: string
  /** Asks the store for its cursor, the first time. Rejects with what the store throws. */
  load(): Promise<void>
  /** An event or a checkpoint has come. */
  receive(id: string): void
  /** Handlers have finished with what came up to this id. */
  readonly handle: (id: string) => void
}

/** Makes the position that the options begin with, and saves it to their store as it moves. */
export function createPosition(
  { lastEventId = '', cursor: store, commit }: SubscriberOptions,
  report: (error: EventwireError) => void,
  trace: ((event: TraceEvent) => void) | undefined,
): Position {
  let received = lastEventId
  let committed = lastEventId
  let saved = lastEventId
  let loaded = !store
  let saving = false
  let failing = false

  /** One cursor at a time, and then the newest. */
  const save = async (): Promise<void> => {
    if (!store || saving) return
    saving = true
    while (saved !== committed) {
      saved = committed
      try {
        await store.save(saved)
        failing = false
      } catch (cause) {
        // Once, and not for each event, until it is better.
        if (!failing) report(hookFailed('cursor.save', cause))
        failing = true
      }
    }
    saving = false
  }
  const move = (id: string): void => {
    // Nearly every event moves it, so that is looked at only for who hears of it.
    const moved = (store || trace) && id !== committed
    committed = id
    if (!moved) return
    trace?.({ type: 'commit', lastEventId: id })
    void save()
  }

  return {
    get received() {
      return received
    },
    get committed() {
      return committed
    },
    async load() {
      const kept = loaded ? '' : await store?.load()
      // It may have been asked twice, where the first attempt did not wait for it.
      if (!loaded && kept) received = committed = saved = kept
      loaded = true
    },
    receive(id) {
      received = id
      if (commit === 'received') move(id)
    },
    handle(id) {
      if (commit !== 'received') move(id)
    },
  }
}
