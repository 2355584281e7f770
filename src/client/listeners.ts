/** The listeners of one kind of notice. */
export interface Listeners<T> {
  /** Adds a listener; gives the function that removes it, which may be called again. */
  readonly add: (listener: (value: T) => void) => () => void
  /** Tells all of them. One that throws stops no other: what it threw goes to `onThrow`. False when there is none. */
  readonly tell: (value: T, onThrow: (error: unknown) => void) => boolean
}

/** Makes an empty set of listeners. */
export function createListeners<T>(): Listeners<T> {
  // Each has a box of its own, so that the same function added twice is called twice.
  const boxes = new Set<{ readonly listener: (value: T) => void }>()
  return {
    add(listener) {
      const box = { listener }
      boxes.add(box)
      return () => void boxes.delete(box)
    },
    tell(value, onThrow) {
      for (const { listener } of boxes) {
        try {
          listener(value)
        } catch (error) {
          onThrow(error)
        }
      }
      return boxes.size > 0
    },
  }
}
