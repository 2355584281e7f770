import type { Gap, Ready } from '../wire/control.ts'
import type { StreamConnection } from './connection.ts'
import type { Zlib } from './gzip.ts'
import type { Topics } from './topics.ts'

/** What a request makes of a connection. */
export interface ConnectionRequest<Context = unknown> {
  readonly topics: Topics
  /** What `connect` granted with it. */
  readonly context: Context
  /** The cursor that the client brought. */
  readonly lastEventId: string | undefined
  /** Compresses the stream; `undefined` when it goes out as it is. */
  readonly zlib: Zlib | undefined
  /** To be called when it is gone. */
  readonly release: () => void
}

/** What the connections of an emitter have in common. */
export interface ConnectionRules<Context = unknown> {
  /** The longest cursor that is looked at. */
  readonly cursorBytes: number
  /** What `$ready` announces. */
  readonly announced: Pick<Ready, 'heartbeat' | 'text' | 'ends'>
  /** The reconnection time to ask for, in ms. */
  readonly retry: number | undefined
  /** What becomes of a connection that has read too slowly. */
  readonly slowConsumer: 'gap' | 'disconnect' | 'latest'
  /** Sends the state of things; resolves to false when that could not be done. */
  snapshot?(stream: StreamConnection<Context>): Promise<boolean>
  /** `$ready` is written. */
  onOpen(stream: StreamConnection<Context>): void
  onGap(stream: StreamConnection<Context>, gap: Gap): void
  /** It was found full at a heartbeat, for the first time since it was last in step. */
  onSlow(stream: StreamConnection<Context>): void
  onGone(stream: StreamConnection<Context>): void
}
