/** What was found out about one thing. */
export interface Finding {
  readonly level: 'ok' | 'warn' | 'fail'
  /** What was looked at. */
  readonly check: string
  /** What was seen. */
  readonly says: string
  /** What to do; nothing where all is well. */
  readonly todo?: string | undefined
}

/** All is well. */
export function ok(check: string, says: string): Finding {
  return { level: 'ok', check, says }
}

/** It may do harm, or could not be seen. */
export function warn(check: string, says: string, todo: string): Finding {
  return { level: 'warn', check, says, todo }
}

/** It does harm. */
export function fail(check: string, says: string, todo: string): Finding {
  return { level: 'fail', check, says, todo }
}
