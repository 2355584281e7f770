import { EventwireError } from '../errors.ts'

/** How much of the body of a refusal is kept for its error, in bytes. */
const EXCERPT_BYTES = 1_024

/** What a response means for a subscriber. */
export type Meaning =
  | { readonly kind: 'stream'; readonly body: ReadableStream<Uint8Array> }
  /** The server has nothing more for this client. */
  | { readonly kind: 'ended' }
  /** `after`: the least to wait, in ms. */
  | { readonly kind: 'retry'; readonly error: EventwireError; readonly after: number }
  | { readonly kind: 'unauthorized'; readonly error: EventwireError }
  | { readonly kind: 'fatal'; readonly error: EventwireError }

/** The table of what each response means. Where it holds no stream, its body is read no further than an excerpt. */
export async function interpret(response: Response, signal: AbortSignal): Promise<Meaning> {
  const { status, body } = response
  if (status === 204) return { kind: 'ended' }
  if (status === 200 && isEventStream(response) && body) return { kind: 'stream', body }

  const error = await refusal(response, signal)
  if (status === 401 || status === 403) return { kind: 'unauthorized', error }
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    return { kind: 'retry', error, after: retryAfter(response.headers.get('retry-after')) }
  }
  return { kind: 'fatal', error }
}

/** Calls back when the signal aborts, also if it has already: then it would not say so again. */
export function whenAborted(signal: AbortSignal, then: () => void): void {
  if (signal.aborted) then()
  else signal.addEventListener('abort', then)
}

function isEventStream({ headers }: Response): boolean {
  // Sent twice, as proxies do, the last one counts (Fetch, "extract a MIME type").
  const type = headers.get('content-type')?.split(',').at(-1) ?? ''
  return /^\s*text\/event-stream\s*(;|$)/i.test(type)
}

async function refusal(response: Response, signal: AbortSignal): Promise<EventwireError> {
  const { status, url, headers } = response
  const body = await excerpt(response, signal)
  if (status === 200) {
    const type = headers.get('content-type') ?? 'none'
    return new EventwireError(
      'bad-content-type',
      `${url} answered with content type ${type}, not text/event-stream. Is it the address of an event stream?`,
      { status, body },
    )
  }
  return new EventwireError('bad-status', `${url} answered with status ${status}.`, { status, body })
}

async function excerpt({ body }: Response, signal: AbortSignal): Promise<string> {
  if (!body) return ''
  const reader = body.getReader()
  const decoder = new TextDecoder()
  whenAborted(signal, () => void reader.cancel().catch(() => {}))
  let text = ''
  try {
    for (let size = 0; size < EXCERPT_BYTES;) {
      const { done, value } = await reader.read()
      if (done) break
      text += decoder.decode(value.subarray(0, EXCERPT_BYTES - size), { stream: true })
      size += value.byteLength
    }
  } catch {
    // The status says enough without the body.
  }
  reader.cancel().catch(() => {})
  return text
}

/** Milliseconds of a `Retry-After` header, which holds seconds or a date (RFC 9110 10.2.3). */
function retryAfter(header: string | null): number {
  if (!header) return 0
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now()
  return ms > 0 ? ms : 0
}
