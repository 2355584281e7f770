/** A value, at once or later. What need not wait costs no promise, and happens before the call returns. */
export type Awaitable<T> = T | Promise<T>

/** Whether a value comes later. Whatever has a `then` counts: libraries bring promises of their own, and some replace the global one. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as Partial<PromiseLike<T>> | null | undefined)?.then === 'function'
}

/** Goes on with a value. */
export function proceed<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> {
  return isThenable(value) ? Promise.resolve(value).then(next) : next(value)
}

/** Does something that may fail, at once or later, and makes good what it failed with. */
export function recover<T>(run: () => Awaitable<T>, mend: (thrown: unknown) => Awaitable<T>): Awaitable<T> {
  try {
    const result = run()
    return isThenable(result) ? Promise.resolve(result).catch(mend) : result
  } catch (thrown) {
    return mend(thrown)
  }
}
