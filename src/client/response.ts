import { EventwireError } from '../errors.ts'

/** How much of the body of a refusal is kept for its error, in bytes. */
const EXCERPT_BYTES = 1_024

/** How long it is waited for, in ms: it may be a stream of another type, which has no end. */
const EXCERPT_MS = 500

/** How an attempt to connect came to its end. */
export type Outcome =
  /** Nothing more will come for this client. */
  { readonly kind: 'ended'; readonly error?: undefined } | Failure

/** An attempt, or a stream, that failed. */
export interface Failure {
  /** `retry`: another attempt may do better. `unauthorized`: it may, with other credentials. */
  readonly kind: 'retry' | 'unauthorized' | 'fatal'
  readonly error: EventwireError
  /** The least to wait before that, in ms. */
  readonly after?: number
}

/** The body of a response, as it is read. */
export type Body = ReadableStreamDefaultReader<Uint8Array>

/** Whether a response is an open stream: 200 and the right content type, nothing less. */
export function isStream({ status, headers }: Pick<Response, 'status' | 'headers'>): boolean {
  // Of several values, as proxies make them, the last counts that is a type (Fetch, "extract a MIME type").
  const values = headers
    .get('content-type')
    ?.replace(/"[^"]*"?/g, '')
    .split(',')
  const type = values?.findLast((value) => /^\s*[^\s;/*]+\/[^\s;/]+\s*(;|$)/.test(value))
  return status === 200 && /^\s*text\/event-stream\s*(;|$)/i.test(type ?? '')
}

/** The table of what each response means that is no stream. Its body is read no further than an excerpt. */
export async function interpret(response: Response, url: string, body: Body | undefined): Promise<Failure> {
  const { status, headers } = response
  const code = status === 200 ? 'bad-content-type' : 'bad-status'
  const error = new EventwireError(code, `${response.url || url} answered with ${description(response)}`, {
    status,
    body: body ? await excerpt(body) : '',
  })
  const later = status === 408 || status === 425 || status === 429 || status >= 500
  const kind = status === 401 || status === 403 ? 'unauthorized' : later ? 'retry' : 'fatal'
  return { kind, error, after: retryAfter(headers.get('retry-after')) }
}

function description(response: Response): string {
  if (response.status !== 200) return `status ${response.status}.`
  if (isStream(response)) return 'no body that can be read. Give a fetch whose responses stream.'
  return `content type ${response.headers.get('content-type')}, not text/event-stream. Is it the address of an event stream?`
}

async function excerpt(body: Body): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  const read = async (): Promise<void> => {
    for (let left = EXCERPT_BYTES; left > 0;) {
      const { done, value } = await body.read()
      if (done) break
      text += decoder.decode(value.subarray(0, left), { stream: true })
      left -= value.byteLength
    }
  }
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, EXCERPT_MS)))
  // The status says enough without the body.
  await Promise.race([read().catch(() => {}), late])
  clearTimeout(timer)
  return text
}

/** Milliseconds of a `Retry-After` header, which holds seconds or a date (RFC 9110 10.2.3). */
function retryAfter(header: string | null): number {
  if (!header) return 0
  const ms = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now()
  return ms > 0 ? ms : 0
}
