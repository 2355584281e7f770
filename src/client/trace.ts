import type { EventwireError } from '../errors.ts'
import type { DecodedMessage } from '../wire/decode.ts'
import type { Status } from './status.ts'

/** What happens within a subscriber. */
export type TraceEvent =
  | { readonly type: 'status'; readonly status: Status }
  | { readonly type: 'request'; readonly url: string; readonly init: RequestInit; readonly lastEventId: string }
  | { readonly type: 'response'; readonly url: string; readonly status: number }
  /** A message of the stream: events, also those that the contract does not know, and control messages, whose names begin with `$`. */
  | { readonly type: 'message'; readonly message: DecodedMessage }
  /** A response or a stream is over. Without `error` the server is finished with this client. */
  | { readonly type: 'end'; readonly error?: EventwireError | undefined }
  /** The cursor has moved: handlers have finished with what came before. */
  | { readonly type: 'commit'; readonly lastEventId: string }

/** What `onTrace` hears, in the order in which it happens. `at` is the time, in ms as `performance.now()` counts them. */
export type Trace = TraceEvent & { readonly at: number }
