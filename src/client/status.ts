import type { EventwireError } from '../errors.ts'

/** Where a subscriber stands. */
export type Status =
  /** An attempt is under way or, with `retryAt`, waited for. `error` is why the one before it failed. */
  | { readonly state: 'connecting'; readonly attempt: number; readonly retryAt?: number; readonly error?: EventwireError }
  /** The stream is open. `resumed` and `replayed` are known once the server has said them, in its first message. */
  | { readonly state: 'open'; readonly resumed?: boolean; readonly replayed?: number }
  | ({ readonly state: 'closed' } & Closed)

/** How a subscriber came to its end. */
export interface Closed {
  /** `aborted`: by `close()` or the signal. `ended`: the server has finished with it. `fatal`: `error` says what cannot be repaired by another attempt. */
  readonly reason: 'aborted' | 'ended' | 'fatal'
  readonly error?: EventwireError
}
