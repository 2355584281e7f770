import { EventwireError, messageOf } from '../errors.ts'
import type { AttemptContext, Source, SubscriberOptions } from './options.ts'
import type { Stream } from './reconnect.ts'

/** What an attempt asks for. */
export interface PreparedRequest {
  readonly url: string
  readonly init: RequestInit
  /** The cursor that it brings. */
  readonly lastEventId: string
}

/** What no header can carry: control characters. Bytes above 127 may stand in one. */
const UNSENDABLE = /[^\t -~\x80-\xff]/

/** Asks the application for what an attempt sends. Fails with `hook-failed`, or with `invalid-option` where no other attempt could do better. */
export async function prepare(stream: Stream, attempt: number): Promise<PreparedRequest> {
  const { options, sink } = stream
  const { credentials, resumeIn } = options
  let url: string
  let init: RequestInit
  let lastEventId: string
  try {
    await stream.position.load()
    lastEventId = stream.position.received
    const header = byteString(lastEventId)
    if (resumeIn !== 'query' && UNSENDABLE.test(header)) {
      sink.onGap({ reason: 'malformed', requested: lastEventId.slice(0, 256), oldest: '' })
      lastEventId = ''
      // Told once, and from here on there is none.
      stream.position.receive('')
    }
    const context = { attempt, lastEventId }
    url = String(await ask(stream.url, context))
    const headers = new Headers(await ask(options.headers, context))
    if (!headers.has('accept')) headers.set('accept', 'text/event-stream')
    const body = await ask(options.body, context)
    if (lastEventId) {
      if (resumeIn === 'query') url = withQuery(url, lastEventId)
      else headers.set('last-event-id', header)
    }
    init = {
      method: methodOf(options),
      headers,
      // Older Workers know of no cache, and refuse the word.
      ...('cache' in Request.prototype && { cache: 'no-store' as const }),
      ...(credentials && { credentials }),
      ...(body != null && { body }),
    }
  } catch (cause) {
    throw new EventwireError('hook-failed', `What to ask for could not be had: ${messageOf(cause)}`, { cause })
  }
  try {
    // Asked of the global fetch only: another one may know what to do with a path.
    if (!options.fetch) void new Request(url, init)
  } catch (cause) {
    throw new EventwireError(
      'invalid-option',
      `${url} cannot be asked for: ${messageOf(cause)}. Outside of a page, give a whole address.`,
      { cause },
    )
  }
  return { url, init, lastEventId }
}

/** The method that the options ask for. */
export function methodOf({ method, body }: SubscriberOptions): string {
  return method ?? (body === undefined ? 'GET' : 'POST')
}

async function ask<T>(source: Source<T>, context: AttemptContext): Promise<T> {
  return typeof source === 'function' ? (source as (context: AttemptContext) => T | Promise<T>)(context) : source
}

function withQuery(url: string, lastEventId: string): string {
  const address = url.split('#')[0]!.replace(/([?&])lastEventId(=[^&]*)?(?=&|$)/g, '$1')
  return `${address}${address.includes('?') ? '&' : '?'}${new URLSearchParams({ lastEventId })}`
}

/** A header's value in the form that fetch takes: one character for each byte of UTF-8. */
function byteString(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join('')
}
