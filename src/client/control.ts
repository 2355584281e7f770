import { EventwireError, messageOf } from '../errors.ts'
import type { Gap, GapReason, Ready } from '../wire/control.ts'
import type { DecodedMessage } from '../wire/decode.ts'

/** What a control message says, read from a server that need not be ours. */
export type Control =
  | { readonly kind: 'ready'; readonly ready: Ready }
  | { readonly kind: 'gap'; readonly gap: Gap }
  | { readonly kind: 'end' }

/** Whether an event's name is reserved for control messages. */
export function isControl(event: string): boolean {
  return event.startsWith('$')
}

/** Reads a control message; `undefined` for one that this version does not know. Throws `invalid-payload` for one that is broken. */
export function readControl({ event, data }: DecodedMessage): Control | undefined {
  // Whatever it says, it says not to come back.
  if (event === '$end') return { kind: 'end' }
  try {
    const read = JSON.parse(data) as Record<string, unknown>
    switch (event) {
      case '$ready':
        return {
          kind: 'ready',
          ready: {
            epoch: text(read['epoch']),
            resumed: read['resumed'] === true,
            replayed: Number(read['replayed']) || 0,
            heartbeat: Number(read['heartbeat']) || 0,
            text: names(read['text']),
            ends: names(read['ends']),
          },
        }
      case '$gap':
        return {
          kind: 'gap',
          gap: { reason: text(read['reason']) as GapReason, requested: text(read['requested']), oldest: text(read['oldest']) },
        }
      default:
        return undefined
    }
  } catch (cause) {
    throw new EventwireError('invalid-payload', `The control message ${event} cannot be read: ${messageOf(cause)}`, { event, cause })
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function names(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((name) => typeof name === 'string') : []
}
