import type { Contract } from '../contract.ts'
import { EventwireError, messageOf } from '../errors.ts'
import type { Ready } from '../wire/control.ts'
import type { DecodedMessage } from '../wire/decode.ts'

/** How the events of a stream are read. */
export interface Payloads {
  /** Whether the stream may carry this event. */
  has(event: string): boolean
  /** Whether the stream is complete after this event. */
  isLast(event: string): boolean
  /** The data of an event, validated; a promise when the schema is asynchronous. Fails with `invalid-payload`. */
  decode(message: DecodedMessage): unknown
  /** Takes what the server says of its contract, for a subscriber that holds only the contract's types. */
  learn(ready: Ready): void
}

/** Reads events by a contract; without one as JSON, or as raw text where the server says so, and unvalidated. */
export function createPayloads(contract: Contract | undefined): Payloads {
  let text: readonly string[] = []
  let ends = contract?.ends ?? []
  return {
    has: (event) => !contract || event in contract.schemas,
    isLast: (event) => ends.includes(event),
    decode({ event, data, id }) {
      if (contract) return contract.deserialize(event, data)
      if (text.includes(event)) return data
      try {
        return JSON.parse(data)
      } catch (cause) {
        throw new EventwireError('invalid-payload', `The data of event ${JSON.stringify(event)} is no JSON: ${messageOf(cause)}`, {
          event,
          id,
          cause,
        })
      }
    },
    learn(ready) {
      if (contract) return
      text = ready.text
      ends = ready.ends
    },
  }
}
