import type { EventwireError } from '../errors.ts'
import type { Delivery, Handler } from './lane.ts'

/** What an iteration is made of. */
export interface IterationSource {
  /** Adds the iteration's handler; gives the function that removes it. */
  readonly add: (handler: Handler) => () => void
  /** Resolves when the stream is over, with the error if that is a fault. */
  readonly closed: Promise<{ readonly error?: EventwireError }>
}

/**
 * Iterates over a stream. The iteration is a handler like any other, one that finishes with an event when the loop asks
 * for the next: the loop sets the pace, and the cursor stays behind what its body has yet to finish.
 */
export async function* iterate({ add, closed }: IterationSource): AsyncGenerator<Delivery, void, undefined> {
  let held: Delivery | undefined
  let end: { readonly error?: EventwireError } | undefined
  let finish = (): void => {}
  let wake = (): void => {}
  void closed.then((value) => {
    end = value
    wake()
  })
  const remove = add((event) => {
    held = event
    wake()
    return new Promise<void>((resolve) => (finish = resolve))
  })
  try {
    for (;;) {
      if (!held && !end) await new Promise<void>((resolve) => (wake = resolve))
      if (end?.error) throw end.error
      if (end || !held) return
      const event = held
      held = undefined
      yield event
      finish()
    }
  } finally {
    remove()
    finish()
  }
}
