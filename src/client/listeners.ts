import { EventwireError, guard } from '../errors.ts'

/** The listeners of one kind of notice. */
export interface Listeners<T> {
  /** Adds a listener; gives the function that removes it, which may be called again. */
  readonly add: (listener: (value: T) => unknown) => () => void
  /** Tells all of them. One that throws stops no other: what it threw goes to `onThrow`. False when there was none. */
  readonly tell: (value: T, onThrow: (error: unknown) => void) => boolean
}

/** Makes an empty set of listeners. */
export function createListeners<T>(): Listeners<T> {
  // Each has a box of its own, so that the same function added twice is called twice.
  const boxes = new Set<{ readonly listener: (value: T) => unknown }>()
  return {
    add(listener) {
      assertFunction(listener)
      const box = { listener }
      boxes.add(box)
      return () => void boxes.delete(box)
    },
    tell(value, onThrow) {
      // Those there are now: one that adds another while it is told would never come to an end.
      const told = [...boxes]
      for (const box of told) if (boxes.has(box)) guard(() => box.listener(value), onThrow)
      return told.length > 0
    },
  }
}

/** Refuses here what would fail only when the first event comes. Throws `invalid-option`. */
export function assertFunction(handler: unknown): void {
  if (typeof handler !== 'function')
    throw new EventwireError('invalid-option', `A handler has to be a function; this is ${typeof handler}.`)
}
