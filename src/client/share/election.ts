/** Who of all that want the same name is the one that leads. */
export interface Election {
  /** Leads at once, whoever does so now. */
  steal(): void
  /** Wants it no more. */
  leave(): void
}

/** How long to wait when the browser refuses to queue, in ms. */
const REFUSED = 1_000

/**
 * Stands for election, by a Web Lock: it passes to the next in the queue when its holder lets go of it, or is no more.
 *
 * @param onWon Called each time it is won; `vacant` when nobody held it or waited for it.
 * @param onLost Called when another one has taken it.
 */
export function elect(name: string, onWon: (vacant: boolean) => void, onLost: () => void): Election {
  let left = false
  let stealing = false
  let waiting = new AbortController()
  let release = (): void => {}

  const hold = async (options: LockOptions): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>()
    let won = false
    try {
      await navigator.locks.request(name, options, (lock) => {
        if (!lock || left) return undefined
        won = true
        stealing = false
        release = resolve
        onWon(options.ifAvailable === true)
        return promise
      })
    } catch {
      // Taken away, or called off; or the browser has none for this page now.
      if (!won && !waiting.signal.aborted) await new Promise((then) => setTimeout(then, REFUSED))
    }
    if (won && !left) onLost()
  }

  const stand = async (): Promise<void> => {
    for (let options: LockOptions = { ifAvailable: true }; !left; stealing = false) {
      await hold(options)
      waiting = new AbortController()
      options = stealing ? { steal: true } : { signal: waiting.signal }
    }
  }
  void stand()

  return {
    steal() {
      stealing = true
      waiting.abort()
    },
    leave() {
      left = true
      waiting.abort()
      release()
    },
  }
}
