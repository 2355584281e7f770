import type { Contract, TerminalEvent } from '../contract.ts'
import { EventwireError, messageOf } from '../errors.ts'
import type { Ready } from '../wire/control.ts'
import type { DecodedMessage } from '../wire/decode.ts'

/** How the events of a stream are read. */
export interface Payloads {
  /** Whether the stream may carry this event. */
  has(event: string): boolean
  /** The terminal event that the message is, if it is one. */
  end(message: DecodedMessage): TerminalEvent | undefined
  /** Whether the stream has an end of its own. */
  ends(): boolean
  /** The data of an event, validated; a promise when the schema is asynchronous. Fails with `invalid-payload`. */
  readonly decode: (message: DecodedMessage) => unknown
  /** Takes what the server says of its contract, for a subscriber that holds only the contract's types. */
  learn(ready: Ready): void
}

/** Reads events by a contract; without one as JSON, or as raw text where the server says so, and unvalidated. */
export function createPayloads(contract: Contract | undefined): Payloads {
  const names = contract && new Set(Object.keys(contract.schemas))
  let text: readonly string[] = []
  let ends: readonly TerminalEvent[] = contract?.ends ?? []
  return {
    has: (event) => !names || names.has(event),
    end: ({ event, data }) => ends.find((end) => (typeof end === 'object' ? end.event === event && end.data === data : end === event)),
    ends: () => ends.length > 0,
    decode({ event, data }) {
      if (contract) return contract.deserialize(event, data)
      if (text.includes(event)) return data
      try {
        return JSON.parse(data)
      } catch (cause) {
        throw new EventwireError('invalid-payload', `The data of event ${JSON.stringify(event)} is no JSON: ${messageOf(cause)}`, {
          event,
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
