import type { Contract, EventInput, EventName } from '../contract.ts'
import { EventwireError } from '../errors.ts'
import { encode } from '../wire/encode.ts'
import { exceedsBytes } from '../wire/size.ts'

/** An event on its way to one client: the union of what the contract allows, told apart by `event`. */
export type OutgoingEvent<C extends Contract = Contract> = {
  [N in EventName<C>]: {
    event: N
    data: EventInput<C, N>
  }
}[EventName<C>]

/** Refuses an event that clients would have to refuse. */
export function refuseOversize(event: string, data: string, eventBytes: number): void {
  if (!exceedsBytes(eventBytes, data, event)) return
  throw new EventwireError(
    'too-large',
    `Event ${JSON.stringify(event)} takes more than ${eventBytes} bytes. Send less, or raise limits.eventBytes on the server and on its clients.`,
    { event },
  )
}

/** The block of a serialised event for one client. */
export function encodeEvent(event: string, data: string, eventBytes: number, id?: string): string {
  refuseOversize(event, data, eventBytes)
  return encode({ event, data, id })
}
