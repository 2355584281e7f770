import { EventwireError, messageOf } from '../errors.ts'
import { backoff } from './backoff.ts'
import { connect, type Attempt, type Outcome, type StreamListener } from './connection.ts'
import type { Settings, Source, SubscriberOptions } from './options.ts'
import type { Closed, Status } from './subscriber.ts'

/** What {@link keepConnected} works with. */
export interface Reconnection {
  readonly url: Source<string | URL>
  readonly options: SubscriberOptions
  readonly settings: Settings
  /** Aborts when the subscriber is closed. */
  readonly signal: AbortSignal
  /** The last event id received, which the next request brings. */
  readonly lastEventId: () => string
  readonly onStatus: (status: Status) => void
  readonly listener: Pick<StreamListener, 'onReady' | 'onMessage' | 'onCursor' | 'onGap' | 'onInvalid' | 'room'>
}

/** Connects, and connects again, until the stream is over for good. Never rejects. */
export async function keepConnected(reconnection: Reconnection): Promise<Closed> {
  const { options, settings, signal, onStatus } = reconnection
  const { base, max, attempts } = settings
  const { onUnauthorized } = options
  let retry = base
  /** The number of the attempt under way; 0 once its connection has proved itself, so that the next one is the first again. */
  let attempt = 1
  let renewed = false

  const listener: StreamListener = {
    ...reconnection.listener,
    onOpen() {
      renewed = false
      onStatus({ state: 'open' })
    },
    onHealthy() {
      attempt = 0
    },
    onRetry(ms) {
      retry = ms
    },
  }

  for (;;) {
    onStatus({ state: 'connecting', attempt })
    let outcome: Outcome | undefined = await connectOnce(reconnection, listener)
    if (signal.aborted) return { reason: 'aborted' }
    if (outcome.kind === 'ended') return { reason: 'ended' }
    if (outcome.kind === 'fatal') return { reason: 'fatal', error: outcome.error }
    if (outcome.kind === 'unauthorized') {
      if (!onUnauthorized || renewed) return { reason: 'fatal', error: outcome.error }
      outcome = await renew(onUnauthorized, outcome.error)
      if (signal.aborted) return { reason: 'aborted' }
      renewed = outcome === undefined
      if (!outcome) continue
    } else renewed = false
    const { error } = outcome
    if (attempt >= attempts) return { reason: 'fatal', error: exhausted(attempt, error) }
    attempt++
    const retryAfter = outcome.kind === 'retry' ? outcome.after : 0
    const delay = backoff({ failures: Math.max(1, attempt - 1), base: retry, max, retryAfter, random: Math.random() })
    onStatus({ state: 'connecting', attempt, retryAt: Date.now() + delay, ...(error && { error }) })
    await sleep(delay, signal)
    if (signal.aborted) return { reason: 'aborted' }
  }
}

/** Lets the application renew what it sends. When it cannot, that is a failed attempt like any other. */
async function renew(
  onUnauthorized: (error: EventwireError) => void | Promise<void>,
  refused: EventwireError,
): Promise<Extract<Outcome, { kind: 'cut' }> | undefined> {
  try {
    await onUnauthorized(refused)
    return undefined
  } catch (cause) {
    return { kind: 'cut', error: new EventwireError('hook-failed', `onUnauthorized failed: ${messageOf(cause)}`, { cause }) }
  }
}

function connectOnce(reconnection: Reconnection, listener: StreamListener): Promise<Outcome> {
  const { options, settings, signal } = reconnection
  const { fetch = globalThis.fetch } = options
  const lastEventId = reconnection.lastEventId()
  const request = (): ReturnType<Attempt['request']> => prepare(reconnection, lastEventId)
  // Called without a receiver: the global fetch refuses any but its own.
  return connect({ fetch: (input, init) => fetch(input, init), request, settings, signal, lastEventId }, listener)
}

async function prepare({ url: source, options }: Reconnection, lastEventId: string): ReturnType<Attempt['request']> {
  let url: string | URL
  let headers: Headers
  try {
    url = await ask(source)
    headers = new Headers(await ask(options.headers))
    headers.set('accept', 'text/event-stream')
    if (lastEventId) headers.set('last-event-id', byteString(lastEventId))
  } catch (cause) {
    throw new EventwireError('hook-failed', `The url or the headers could not be had: ${messageOf(cause)}`, { cause })
  }
  // Asked of the global fetch only: another one may know what to do with a path.
  if (!options.fetch && !canParse(url)) {
    throw new EventwireError('invalid-option', `${url} is no URL here; outside a page it must be absolute.`)
  }
  const { credentials } = options
  return { url, init: { headers, cache: 'no-store', ...(credentials && { credentials }) } }
}

function canParse(url: string | URL): boolean {
  return URL.canParse(url, globalThis.document?.baseURI ?? globalThis.location?.href)
}

async function ask<T>(source: Source<T>): Promise<T> {
  return typeof source === 'function' ? (source as () => T | Promise<T>)() : source
}

function exhausted(attempts: number, cause: EventwireError | undefined): EventwireError {
  return new EventwireError(
    'retries-exhausted',
    `Gave up after ${attempts} attempts in a row${cause ? `; the last: ${cause.message}` : ''}`,
    { cause },
  )
}

/** A header's value in the form that fetch takes: one character for each byte of UTF-8. */
function byteString(text: string): string {
  return String.fromCharCode(...new TextEncoder().encode(text))
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    // An aborted signal does not say so again.
    if (signal.aborted) return resolve()
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
  })
}
