import { isThenable } from '../awaitable.ts'
import { EventwireError, guard, messageOf } from '../errors.ts'

/** Tells an application what nobody else is told. */
export type Report = (error: unknown) => void

/** Makes every failure an `EventwireError`. One of the listener itself is said on the console. */
export function createReport(onError: (error: EventwireError) => void = (error) => console.error(error)): Report {
  return (error) => {
    const told = error instanceof EventwireError ? error : new EventwireError('hook-failed', messageOf(error), { cause: error })
    guard(() => onError(told), console.error)
  }
}

/** Runs a hook. That it fails is reported, and concerns nobody else. */
export function runHook(name: string, run: () => unknown, report: Report): void {
  guard(run, (cause) => report(hookFailed(name, cause)))
}

/**
 * What a hook says that has to say it at once. Throws `hook-failed` when it throws, and for a promise, which would pass for
 * true, and end the process if it rejects.
 */
export function askHook<T>(name: string, ask: () => T): T {
  let said: T
  try {
    said = ask()
  } catch (cause) {
    throw hookFailed(name, cause)
  }
  if (!isThenable(said)) return said
  Promise.resolve(said).catch(() => {})
  throw hookFailed(name, new TypeError('it returned a promise; it has to answer at once'))
}

/** The error of a hook that threw, or rejected. */
export function hookFailed(name: string, cause: unknown): EventwireError {
  return new EventwireError('hook-failed', `The hook ${name} failed: ${messageOf(cause)}`, { cause })
}
