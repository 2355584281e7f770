/**
 * A promise whose rejection is reported when nobody has asked for it, instead of ending the process as an unhandled one.
 * `await` and `then` of a subclass go through `then`, which is how it knows.
 */
class ObservedPromise<T> extends Promise<T> {
  observed = false

  /** What is derived from it is an ordinary promise. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  // oxlint-disable-next-line unicorn/no-thenable -- being asked is what this class is about
  override then<A = T, B = never>(
    onFulfilled?: ((value: T) => A | PromiseLike<A>) | null,
    onRejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.observed = true
    return super.then(onFulfilled, onRejected)
  }
}

/** The same outcome as `work`; a rejection that nobody awaits goes to `report`. */
function reportIfUnobserved<T>(work: Promise<T>, report: (error: unknown) => void): Promise<T> {
  const promise = new ObservedPromise<T>((resolve, reject) => void work.then(resolve, reject))
  void Promise.prototype.then.call(promise, undefined, (error: unknown) => {
    if (!promise.observed) report(error)
  })
  return promise
}

/** Gives the outcome of `work`: done at once where that is possible, and reported if it fails unheard. */
export type Outcome = <T>(work: () => T | Promise<T>) => Promise<T>

export function createOutcome(report: (error: unknown) => void): Outcome {
  return (work) => {
    try {
      const result = work()
      return result instanceof Promise ? reportIfUnobserved(result, report) : Promise.resolve(result)
    } catch (error) {
      return reportIfUnobserved(Promise.reject(error as Error), report)
    }
  }
}
