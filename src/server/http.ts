/** The response to a request for the stream, apart from the stream itself. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** `stream`: events follow. Otherwise the whole body. */
  readonly body: 'stream' | { readonly text: string }
}

const STREAM_HEADERS = {
  'content-type': 'text/event-stream',
  // no-transform: compression on the way would hold events back.
  'cache-control': 'no-cache, no-transform',
  // nginx and others buffer a response unless it says not to.
  'x-accel-buffering': 'no',
}

/** Decides what a request is answered. */
export function answer(method: string | undefined, closed: boolean): Answer {
  if (method !== 'GET' && method !== 'HEAD') return plain(405, 'Use GET to read this event stream.', { allow: 'GET, HEAD' })
  if (closed) return plain(503, 'The server is closing. Try again soon.', { 'retry-after': '1' })
  return { status: 200, headers: STREAM_HEADERS, body: method === 'GET' ? 'stream' : { text: '' } }
}

/** The answer when the application's own options fail: the cause is for `onError`, not for the client. */
export function serverError(): Answer {
  return plain(500, 'The server could not open this event stream.')
}

/**
 * The cursor that a request brings: `Last-Event-ID`, or `?lastEventId=` for clients that cannot set a header.
 * The header wins: an EventSource keeps its URL, and so an old query, when it reconnects.
 */
export function requestedCursor(header: string | null | undefined, url: string): string | undefined {
  if (header) return header
  // Not `new URL`: on node the url is what the client wrote, which need not parse.
  const query = url.indexOf('?')
  return (query >= 0 && new URLSearchParams(url.slice(query)).get('lastEventId')) || undefined
}

function plain(status: number, text: string, headers: Record<string, string> = {}): Answer {
  return { status, headers: { 'content-type': 'text/plain; charset=utf-8', 'cache-control': 'no-store', ...headers }, body: { text } }
}
