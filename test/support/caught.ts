import { EventwireError } from 'eventwire'

/** The error that `run` throws. */
export function caught(run: () => unknown): EventwireError {
  try {
    run()
  } catch (error) {
    if (error instanceof EventwireError) return error
    throw error
  }
  throw new Error('Nothing was thrown.')
}
