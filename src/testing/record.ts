import type { Subscriber } from '../client/subscriber.ts'
import type { Status } from '../client/status.ts'
import type { Contract, EventOf } from '../contract.ts'
import { EventwireError } from '../errors.ts'
import type { Gap } from '../wire/control.ts'

/** What a stream has brought since `record` was called. The arrays grow as it does. */
export interface Recording<C extends Contract> {
  readonly events: EventOf<C>[]
  readonly gaps: Gap[]
  readonly statuses: Status[]
  /** What `onError` hears; it is not on the console then. */
  readonly errors: EventwireError[]
}

/**
 * Listens to all that a subscriber hears. It is a consumer like any other, so it opens the connection.
 *
 * @throws EventwireError `invalid-option` for what is no subscriber.
 */
export function record<C extends Contract>(stream: Subscriber<C>): Recording<C> {
  if (typeof stream?.events !== 'function')
    throw new EventwireError('invalid-option', 'record takes a subscriber: what server.subscribe() or createSubscriber gives.')
  const recording: Recording<C> = { events: [], gaps: [], statuses: [], errors: [] }
  stream.onGap((gap) => recording.gaps.push(gap))
  stream.onStatus((status) => recording.statuses.push(status))
  stream.onError((error) => recording.errors.push(error))
  void follow(stream, recording.events)
  return recording
}

async function follow<C extends Contract>(stream: Subscriber<C>, events: EventOf<C>[]): Promise<void> {
  try {
    for await (const event of stream) events.push(event)
  } catch {
    // The fault that closed the stream is among the errors.
  }
}
