import type { GapReason } from '../wire/control.ts'
import type { ConnectionRules } from './connection-request.ts'
import type { Log } from './log.ts'

/** The cursor of a place in a log, as it stands in `id:` and `Last-Event-ID`. */
export function formatCursor(epoch: string, seq: number): string {
  return `${epoch}-${seq}`
}

/** Where a connection begins to read, and what is declared lost when that is not where the client left off. */
export interface Start {
  /** Events with a greater `seq` follow. */
  readonly after: number
  /** Whether that is right behind the cursor that the client brought. */
  readonly resumed: boolean
  readonly gap?: GapReason
}

/**
 * Finds the place in `log` that a client's cursor means; no cursor, or an empty one, means where the rules have clients `start`. One that is
 * longer than `cursorBytes` is malformed.
 *
 * After a gap that the log can bound, the stream goes on with the oldest event held. When the cursor makes no sense, what
 * the client has seen is unknown: it goes on at the head, because to repeat events would break the promise too.
 */
export function locate(
  cursor: string | undefined,
  log: Log,
  { start, cursorBytes }: Pick<ConnectionRules, 'start' | 'cursorBytes'>,
): Start {
  if (!cursor) return { after: start === 'oldest' ? log.oldest - 1 : log.head, resumed: false }
  const place = parseCursor(cursor, cursorBytes)
  if (!place) return { after: log.head, resumed: false, gap: 'malformed' }
  const { epoch, seq } = place
  const oldest = log.oldest
  if (epoch !== log.epoch) return { after: oldest - 1, resumed: false, gap: 'epoch' }
  if (seq > log.head) return { after: log.head, resumed: false, gap: 'ahead' }
  if (seq < oldest - 1) return { after: oldest - 1, resumed: false, gap: 'evicted' }
  return { after: seq, resumed: true }
}

/** Whether a log does not know a place that a cursor means, though it may be one by now. */
export function isUnknown(cursor: string | undefined, { epoch, head }: Log, maxBytes: number): boolean {
  if (epoch === '') return true
  const place = cursor ? parseCursor(cursor, maxBytes) : undefined
  return place !== undefined && (place.epoch !== epoch || place.seq > head)
}

/** The epoch and `seq` of a cursor; `undefined` when it is none, or longer than `maxBytes`. */
export function parseCursor(cursor: string, maxBytes: number): { readonly epoch: string; readonly seq: number } | undefined {
  const [, epoch, digits] = (cursor.length <= maxBytes && /^([0-9a-z]+)-(0|[1-9]\d{0,15})$/.exec(cursor)) || []
  const seq = Number(digits)
  return epoch !== undefined && Number.isSafeInteger(seq) ? { epoch, seq } : undefined
}

/** 12 characters of 36: two incarnations of a log never share one in practice. */
export function newEpoch(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => (byte % 36).toString(36)).join('')
}
