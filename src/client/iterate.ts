import type { EventwireError } from '../errors.ts'
import type { Delivery } from './entry.ts'
import type { Handler } from './queue.ts'
import type { Closed } from './status.ts'

/** Adds the handler of an iteration, and what is called when nothing more will come for it; gives the function that removes them. */
export type AddIteration = (handler: Handler, onEnd: (end: Closed) => void) => () => void

/**
 * Iterates over a stream. The iteration is a handler like any other, one that finishes with an event when the loop asks
 * for the next: the loop sets the pace, and the cursor stays behind what its body has yet to finish.
 *
 * By hand and not as an async generator, whose `return` would wait for the event that a pending `next` waits for.
 */
export function iterate(add: AddIteration): AsyncIterableIterator<Delivery, undefined> {
  const asking: PromiseWithResolvers<IteratorResult<Delivery, undefined>>[] = []
  let finish = (): void => {}
  let error: EventwireError | undefined
  let leave: (() => void) | undefined
  let over = false

  const handler = (event: Delivery): Promise<void> | undefined => {
    asking.shift()?.resolve({ done: false, value: event })
    // Whoever asks for the next one already is done with this one.
    return asking.length > 0 ? undefined : new Promise((resolve) => (finish = resolve))
  }
  /** Answers after the end: once with the fault, if it was one. */
  const settle = ({ resolve, reject }: PromiseWithResolvers<IteratorResult<Delivery, undefined>>): void => {
    if (error) reject(error)
    else resolve({ done: true, value: undefined })
    error = undefined
  }
  const end = (fault?: EventwireError): void => {
    over = true
    error = fault
    leave?.()
    leave = () => {}
    for (const question of asking.splice(0)) settle(question)
  }

  return {
    next() {
      finish()
      const question = Promise.withResolvers<IteratorResult<Delivery, undefined>>()
      leave ??= add(handler, ({ error: fault }) => end(fault))
      asking.push(question)
      if (over) end(error)
      return question.promise
    },
    return() {
      finish()
      end()
      return Promise.resolve({ done: true, value: undefined })
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
