import type { Gap, Ready } from '../wire/control.ts'
import type { Zlib } from './gzip.ts'
import type { Topics } from './topics.ts'
import type { Outlet } from './transport.ts'

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

/** An open stream, as what surrounds it sees it. */
export interface OpenStream<Context = unknown> {
  readonly request: ConnectionRequest<Context>
  readonly transport: Outlet
  /** Aborts when it ends. */
  readonly signal: AbortSignal
  /** Sends a block to this client alone, after what was emitted before it. False when it is slow or gone: nothing was sent. */
  send(block: string): boolean
  /** Nothing of the log is sent, for the state of things is. */
  hold(): void
  /** That was sent: the log goes on. */
  resume(): void
  close(): void
}

/** What the connections of an emitter have in common. */
export interface ConnectionRules<Context = unknown> {
  /** The longest cursor that is looked at. */
  readonly cursorBytes: number
  /** Where a client begins that brings none. */
  readonly start: 'head' | 'oldest'
  /** What `$ready` announces. */
  readonly announced: Pick<Ready, 'heartbeat' | 'text' | 'ends'>
  /** The reconnection time to ask for, in ms. */
  readonly retry: number | undefined
  /** What becomes of a connection that has read too slowly. */
  readonly slowConsumer: 'gap' | 'disconnect' | 'latest'
  /** Holds the stream, sends the state of things, and has it resume. */
  snapshot?(stream: OpenStream<Context>): void
  /** `$ready` is written. */
  onOpen(stream: OpenStream<Context>, resumed: boolean): void
  /** Events are lost to it. Gives the block that tells the client. */
  declare(stream: OpenStream<Context>, gap: Gap): string
  /** It was found full at a heartbeat, for the first time since it was last in step. */
  onSlow(stream: OpenStream<Context>): void
  onGone(stream: OpenStream<Context>): void
}
