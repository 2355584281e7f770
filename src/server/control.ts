import type { End, Gap, GapReason, Ready } from '../wire/control.ts'
import { encode, encodeBytes } from '../wire/encode.ts'
import { formatCursor } from './cursor.ts'
import type { Log } from './log.ts'

/** The least sign of life. */
export const COMMENT = encodeBytes({ comment: '' })

/** `$ready`, behind the reconnection time to ask for, if there is one. */
export function readyBlock(ready: Ready, retry: number | undefined): string {
  return (retry === undefined ? '' : encode({ retry })) + encodeControl('$ready', ready)
}

/** `$end`: the server is finished with the client, which does not come back. */
export function endBlock(end: End): string {
  return encodeControl('$end', end)
}

/** `$gap`, as {@link gapAt} gives it. */
export function gapBlock(gap: Gap): string {
  return encodeControl('$gap', gap)
}

/** What is said of a loss behind `requested`, when the stream goes on behind `after`. */
export function gapAt(log: Log, after: number, reason: GapReason, requested: string): Gap {
  const oldest = after < log.head ? formatCursor(log.epoch, after + 1) : ''
  return { reason, requested: requested.slice(0, 256), oldest }
}

/** Moves the client's cursor and dispatches nothing: it resumes from there though it may not have heard an event. */
export function checkpointBlock(epoch: string, seq: number): string {
  return encode({ id: formatCursor(epoch, seq) })
}

function encodeControl(event: string, data: object): string {
  return encode({ event, data: JSON.stringify(data) })
}
