import type { Gap, Ready } from '../wire/control.ts'
import type { Zlib } from './gzip.ts'
import type { Topics } from './topics.ts'

/** What a request and the emitter's options make of a connection. */
export interface ConnectionRequest {
  readonly topics: Topics
  /** The cursor that the client brought. */
  readonly lastEventId: string | undefined
  /** The longest cursor that is looked at. */
  readonly cursorBytes: number
  /** What `$ready` announces. */
  readonly announced: Pick<Ready, 'heartbeat' | 'text' | 'ends'>
  /** Compresses the stream; `undefined` when it goes out as it is. */
  readonly zlib: Zlib | undefined
  /** The reconnection time to ask for, in ms. */
  readonly retry: number | undefined
  /** What becomes of a connection that has read too slowly. */
  readonly slowConsumer: 'gap' | 'disconnect' | 'latest'
  /** Sends the state of things; resolves to false when that could not be done. */
  readonly snapshot: (() => Promise<boolean>) | undefined
  /** `$ready` is written. */
  readonly onOpen: () => void
  readonly onGap: (gap: Gap) => void
  /** It was found full at a heartbeat, for the first time since it was last in step. */
  readonly onSlow: () => void
  readonly onGone: () => void
}
