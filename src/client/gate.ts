/** Where others wait until something is so. */
export interface Gate {
  /** Resolves as soon as `test` holds. */
  until(test: () => boolean): Promise<void>
  /** Something has changed: looks again. */
  check(): void
}

/** Makes a gate. When somebody has waited for `patience` ms, `onLong` is called. */
export function createGate(patience: number, onLong: () => void): Gate {
  let waiting: (() => boolean)[] = []
  const check = (): void => {
    if (waiting.length > 0) waiting = waiting.filter((stays) => stays())
  }
  return {
    check,
    until: (test) =>
      new Promise((resolve) => {
        const timer = setTimeout(onLong, patience)
        // It reports, and is no reason for a process to stay.
        timer.unref?.()
        waiting.push(() => {
          if (!test()) return true
          clearTimeout(timer)
          resolve()
          return false
        })
        check()
      }),
  }
}
