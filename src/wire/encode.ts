import { EventwireError } from '../errors.ts'

/** One block of an event stream (WHATWG HTML 9.2.5), as {@link encode} takes it. */
export interface Message {
  /** The event's type. `message`, and none, are written without an `event:` line: that is what `onmessage` hears. */
  event?: string | undefined
  /** The event's data. Without it the block dispatches nothing: it may still carry `id`, `retry` or a comment. */
  data?: string | undefined
  /** Becomes the client's last event id. `''` resets it. */
  id?: string | undefined
  /** The reconnection time to ask of the client, in whole milliseconds. */
  retry?: number | undefined
  /** Text that clients ignore; `''` is the shortest sign of life. */
  comment?: string | undefined
}

const utf8 = new TextEncoder()

const LINE_END = /\r\n|\r|\n/
const UNSAFE = /[\r\n\0]/

/**
 * Writes one block of an event stream, its closing blank line included.
 *
 * Data and comments of several lines become several lines on the wire. The format does not tell CR, LF and CRLF
 * apart: each arrives as LF.
 *
 * @throws EventwireError `invalid-message` for what the format cannot carry: CR, LF or NUL in `id` or `event`, an
 * empty `event`, an `event` without `data`, a `retry` that is no whole number from 0 to 2^53 - 1, half a surrogate pair, or nothing at all.
 */
export function encode({ event, data, id, retry, comment }: Message): string {
  if (event !== undefined) {
    if (event === '') refuse('event', 'is empty, which the format reads as "message"; leave it out instead')
    if (data === undefined) refuse('event', `is ${JSON.stringify(event)}, but there is no data, so no client would hear it`)
    line('event', event)
  }
  let block = ''
  if (comment !== undefined) block += lines('', wellFormed('comment', comment))
  if (id !== undefined) block += `id: ${line('id', id)}\n`
  if (retry !== undefined) block += `retry: ${digits(retry)}\n`
  if (event !== undefined && event !== 'message') block += `event: ${event}\n`
  if (data !== undefined) block += lines('data', wellFormed('data', data))
  if (block === '') refuse('message', 'is empty; give it data, an id, a retry or a comment')
  return block + '\n'
}

/** The name of the latest entry, and what stands before the data under it: most often that is the next one's too. */
let latest = { event: 'message', head: '\ndata: ' }

/** What {@link encode} gives for an event whose id is of our own making, and so fit for the wire. Made for many of one name and one line. */
export function encodeEntry(id: string, event: string, data: string): string {
  if (event === latest.event && data !== '' && !UNSAFE.test(data)) return `id: ${id}${latest.head}${wellFormed('data', data)}\n\n`
  const block = encode({ id, event, data })
  latest = { event, head: event === 'message' ? '\ndata: ' : `\nevent: ${event}\ndata: ` }
  return block
}

/** What {@link encode} gives, in bytes. */
export function encodeBytes(message: Message): Uint8Array<ArrayBuffer> {
  return utf8.encode(encode(message))
}

function lines(field: string, value: string): string {
  if (value === '') return `${field}:\n`
  // Most data is JSON, which is one line.
  if (!UNSAFE.test(value)) return `${field}: ${value}\n`
  return value
    .split(LINE_END)
    .map((part) => `${field}: ${part}\n`)
    .join('')
}

function line(field: string, value: string): string {
  if (UNSAFE.test(value)) refuse(field, `holds CR, LF or NUL: ${JSON.stringify(value.slice(0, 100))}`)
  return wellFormed(field, value)
}

function wellFormed(field: string, value: string): string {
  if (typeof value !== 'string') refuse(field, `is no string but ${typeof value}`)
  if (!value.isWellFormed()) refuse(field, 'holds half a surrogate pair, which UTF-8 cannot carry; toWellFormed() would replace it')
  return value
}

function digits(retry: number): number {
  if (!Number.isSafeInteger(retry) || retry < 0) refuse('retry', `is ${String(retry)}, not a whole number of milliseconds from 0`)
  return retry
}

function refuse(field: string, fault: string): never {
  throw new EventwireError('invalid-message', `Cannot encode this message: ${field} ${fault}.`)
}
