import { EventwireError, messageOf } from '../errors.ts'
import type { Gap, GapReason, Ready } from '../wire/control.ts'
import type { DecodedMessage } from '../wire/decode.ts'

/** What a control message says: one of these, or nothing when this version does not know it. */
export interface Control {
  readonly ready?: Ready
  readonly gap?: Gap
  readonly end?: true
  /** The message is broken. */
  readonly error?: EventwireError
}

/** Reads a control message, from a server that need not be ours. */
export function readControl({ event, data }: DecodedMessage): Control {
  // Whatever it says, it says not to come back.
  if (event === '$end') return { end: true }
  if (event !== '$ready' && event !== '$gap') return {}
  try {
    const { epoch, resumed, replayed, heartbeat, text, ends, reason, requested, oldest } = JSON.parse(data) as Record<string, unknown>
    if (event === '$gap') return { gap: { reason: string(reason) as GapReason, requested: string(requested), oldest: string(oldest) } }
    const counts = { replayed: Number(replayed) || 0, heartbeat: Number(heartbeat) || 0 }
    return { ready: { epoch: string(epoch), resumed: resumed === true, ...counts, text: list(text), ends: list(ends) } }
  } catch (cause) {
    return {
      error: new EventwireError('invalid-payload', `The control message ${event} cannot be read: ${messageOf(cause)}`, { event, cause }),
    }
  }
}

function string(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function list<T>(value: unknown): T[] {
  return Array.isArray(value) ? value.filter(Boolean) : []
}
