import type { StandardSchemaV1 } from '@standard-schema/spec'

/** What went wrong. Each code is documented, with its remedy, in docs/errors.md. */
export type ErrorCode =
  | 'invalid-contract'
  | 'invalid-option'
  | 'unknown-event'
  | 'invalid-payload'
  | 'one-way-schema'
  | 'invalid-message'
  | 'too-large'
  | 'emitter-closed'
  | 'log-unavailable'
  | 'handler-failed'
  | 'handler-stalled'
  | 'hook-failed'
  | 'network'
  | 'timeout'
  | 'bad-status'
  | 'bad-content-type'
  | 'retries-exhausted'
  | 'interrupted'
  | 'overflow'
  | 'buffering'
  | 'server-error'

/** The fields that accompany a code; each is present only where it says something. */
export interface ErrorDetails {
  /** The error that led to this one. */
  cause?: unknown
  /** The name of the event concerned. */
  event?: string
  /** The id of the event concerned, as it stood on the wire. */
  id?: string
  /** `invalid-payload`, `one-way-schema`: what the schema objected to. */
  issues?: readonly StandardSchemaV1.Issue[]
  /** `bad-status`: the HTTP status of the response. */
  status?: number
  /** `bad-status`, `bad-content-type`: the first kilobyte of the response's body. `server-error`, and `interrupted` after one: what the server said. */
  body?: string
}

const BRAND = Symbol.for('eventwire.error')

/** The one class of error that eventwire throws, rejects with or reports. Tell errors apart by {@link code}. */
export class EventwireError extends Error {
  override readonly name = 'EventwireError'
  readonly code: ErrorCode
  declare readonly event?: string
  declare readonly id?: string
  declare readonly issues?: readonly StandardSchemaV1.Issue[]
  declare readonly status?: number
  declare readonly body?: string

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message)
    this.code = code
    Object.assign(this, details)
  }

  /** True for an `EventwireError` of another copy of the package too: ESM and CJS may both be loaded. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // A subclass inherits this method, and asks for its own instances.
    if (!Object.hasOwn(this, Symbol.hasInstance)) return Function.prototype[Symbol.hasInstance].call(this, value)
    return typeof value === 'object' && value !== null && BRAND in value
  }

  get [BRAND](): true {
    return true
  }
}

/** Runs what the application gave. What it throws, and what a promise that it returns rejects with, goes to `onFailure`. */
export function guard(run: () => unknown, onFailure: (error: unknown) => void): void {
  try {
    const result = run()
    if (result instanceof Promise) result.catch(onFailure)
  } catch (error) {
    onFailure(error)
  }
}

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? thrown.message : String(thrown)
  } catch {
    // No prototype, a getter that throws: that must not stop whoever reports it.
    return 'something without a text'
  }
}
