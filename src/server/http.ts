import type { Attach } from './sink.ts'

/** Headers of a response, by name in lower case. */
export type AnswerHeaders = Readonly<Record<string, string | string[]>>

/** The response to a request. */
export interface Answer {
  readonly status: number
  readonly headers: AnswerHeaders
  /** The whole body; or what makes the connection of a stream. */
  readonly body: string | Uint8Array<ArrayBuffer> | Attach
}

const STREAM_HEADERS: AnswerHeaders = {
  'content-type': 'text/event-stream',
  // no-transform: compression on the way would hold events back.
  'cache-control': 'no-cache, no-transform',
  // nginx and others buffer a response unless it says not to.
  'x-accel-buffering': 'no',
}

/** The headers of a stream that may go out as gzip, or does. */
export function streamHeaders(mayCompress: boolean, gzip: boolean): AnswerHeaders {
  if (!mayCompress) return STREAM_HEADERS
  return { ...STREAM_HEADERS, vary: 'accept-encoding', ...(gzip && { 'content-encoding': 'gzip' }) }
}

/** A short answer in words. */
export function plain(status: number, text: string, headers: AnswerHeaders = {}): Answer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', ...headers }, body: text }
}

/** The same answer with further headers, if there are any; `vary` is joined. */
export function withHeaders(answer: Answer, headers: AnswerHeaders | undefined): Answer {
  if (!headers) return answer
  const { vary } = answer.headers
  const joined = vary !== undefined && headers['vary'] !== undefined ? { vary: `${String(vary)}, ${String(headers['vary'])}` } : {}
  return { ...answer, headers: { ...answer.headers, ...headers, ...joined } }
}

/** Headers that speak of how a body was carried, not of what it is. */
const TRANSFER_HEADERS = ['connection', 'content-encoding', 'content-length', 'transfer-encoding']

/** What an application's own response says, for whichever transport. A copy is read, for the same one may be the answer to many. */
export async function answerOf(response: Response): Promise<Answer> {
  const { status } = response
  // `Response.error()` has 0; 101 is no end of a request.
  if (!(status >= 200 && status <= 599)) throw new TypeError(`A response of status ${status} is no answer.`)
  const headers = new Headers(response.headers)
  for (const name of TRANSFER_HEADERS) headers.delete(name)
  const cookies = headers.getSetCookie()
  const body = new Uint8Array(await response.clone().arrayBuffer())
  return {
    status,
    headers: { ...Object.fromEntries(headers), ...(cookies.length > 0 && { 'set-cookie': cookies }) },
    body,
  }
}

/** Whether something is a `Response`: of whatever copy of fetch, as libraries bring their own. */
export function isResponse(value: unknown): value is Response {
  return typeof value === 'object' && value !== null && 'status' in value && 'arrayBuffer' in value && 'headers' in value
}

/**
 * The cursor that a request brings: `Last-Event-ID`, or `?lastEventId=` for clients that cannot set a header.
 * The header wins: an EventSource keeps its URL, and so an old query, when it reconnects.
 */
export function requestedCursor(header: string | undefined, url: string): string | undefined {
  if (header) return utf8Of(header)
  // Not `new URL`: on node the url is what the client wrote, which need not parse.
  const query = url.indexOf('?')
  return (query >= 0 && new URLSearchParams(url.slice(query)).get('lastEventId')) || undefined
}

/** A header has a character for each byte; clients write the cursor in UTF-8 (WHATWG HTML 9.2.3). */
function utf8Of(header: string): string {
  return new TextDecoder().decode(Uint8Array.from(header, (character) => character.charCodeAt(0)))
}
