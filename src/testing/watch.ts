import { isThenable } from '../awaitable.ts'
import type { EventHandler, Subscriber } from '../client/subscriber.ts'
import type { Contract, EventName, EventOf } from '../contract.ts'

/** An event that has been handed out and is not finished with. */
export interface UnderWay {
  readonly by: 'handler' | 'loop'
  readonly event: string
  readonly id: string
}

/** Has a subscriber say what is under way in its handlers and loops. */
export function watchHandlers<C extends Contract>(stream: Subscriber<C>): ReadonlySet<UnderWay> {
  const underWay = new Set<UnderWay>()
  const plain = { ...stream }

  const begin = (by: UnderWay['by'], { event, id }: Omit<UnderWay, 'by'>): (() => void) => {
    // One for each handler: they are given the same event.
    const it = { by, event, id }
    underWay.add(it)
    return () => void underWay.delete(it)
  }
  const watched = <N extends EventName<C>>(handler: EventHandler<C, N>): EventHandler<C, N> => {
    // Refused by the subscriber itself.
    if (typeof handler !== 'function') return handler
    return (data, event) => {
      const result = handler(data, event)
      // In its place: there are thenables that do their work once for each `then`.
      return isThenable(result) ? Promise.resolve(result).finally(begin('handler', event)) : result
    }
  }
  const watchLoop = <N extends EventName<C>>(loop: AsyncIterableIterator<EventOf<C, N>, undefined>): typeof loop => {
    let finish = (): void => {}
    return {
      async next() {
        finish()
        const result = await loop.next()
        if (!result.done) finish = begin('loop', result.value)
        return result
      },
      async return() {
        finish()
        return (await loop.return?.()) ?? { done: true, value: undefined }
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  const events: typeof plain.events = (event) => watchLoop(plain.events(event))
  const watchedOnes: Pick<Subscriber<C>, 'on' | 'once' | 'events' | typeof Symbol.asyncIterator> = {
    on: (event, handler) => plain.on(event, watched(handler)),
    once: (event, handler) => plain.once(event, watched(handler)),
    events,
    [Symbol.asyncIterator]: () => events(),
  }
  Object.assign(stream, watchedOnes)
  return underWay
}
