import type { Contract, EventInput, EventName } from '../contract.ts'
import type { OpenStream } from './connection-request.ts'
import { encodeEvent } from './event.ts'
import { createTurns } from './publish.ts'
import type { Outcome } from './rejection.ts'
import type { Topics } from './topics.ts'

/** One open stream. */
export interface Connection<C extends Contract = Contract, Context = unknown> {
  readonly topics: Topics
  /** What `connect` granted with it. */
  readonly context: Context
  /** The cursor that the client brought; `undefined` when it is new. */
  readonly lastEventId: string | undefined
  /** Aborts when the stream has ended. */
  readonly signal: AbortSignal
  /**
   * Sends an event to this client alone, at once: behind the live events that were emitted before, and among the replayed
   * ones while it catches up. It has no `id:` line, is in no log and is not replayed.
   *
   * @returns False when nothing was sent, because the client is slow or gone.
   * @throws EventwireError as `emit` does; a failure that nobody awaits goes to `onError`.
   */
  send<N extends EventName<C>>(event: N, data: EventInput<C, N>): Promise<boolean>
  /** Ends the stream. The client reconnects, as after any cut. */
  close(): void
}

/** What the application is given of a stream. */
export function connectionHandle<C extends Contract, Context>(
  contract: C,
  stream: OpenStream<Context>,
  eventBytes: number,
  outcome: Outcome,
): Connection<C, Context> {
  const inTurn = createTurns()
  return {
    topics: stream.request.topics,
    context: stream.request.context,
    lastEventId: stream.request.lastEventId,
    get signal() {
      return stream.signal
    },
    send: (event, data) =>
      outcome(() => inTurn(contract.serialize(event, data), (written) => stream.send(encodeEvent(event, written, eventBytes)))),
    close: () => stream.close(),
  }
}
