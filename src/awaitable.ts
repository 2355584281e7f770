/** A value, at once or later. What need not wait costs no promise, and happens before the call returns. */
export type Awaitable<T> = T | Promise<T>

/** Goes on with a value. */
export function proceed<T, R>(value: Awaitable<T>, next: (value: T) => Awaitable<R>): Awaitable<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}

/** Does something that may fail, at once or later, and makes good what it failed with. */
export function recover<T>(run: () => Awaitable<T>, mend: (thrown: unknown) => Awaitable<T>): Awaitable<T> {
  try {
    const result = run()
    return result instanceof Promise ? result.catch(mend) : result
  } catch (thrown) {
    return mend(thrown)
  }
}
