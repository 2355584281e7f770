import { EventwireError, messageOf } from '../errors.ts'
import type { Gap, Ready } from '../wire/control.ts'
import { createDecoder, type DecodedMessage } from '../wire/decode.ts'
import { readControl } from './control.ts'
import { interrupted } from './errors.ts'
import type { Stream } from './reconnect.ts'
import { prepare, type PreparedRequest } from './request.ts'
import { interpret, isStream, type Body, type Outcome } from './response.ts'
import { createWatchdog, type Watchdog } from './watchdog.ts'

/** The least silence that the watchdog takes for a fault, in ms, whatever heartbeat a server announces. */
const LEAST_IDLE = 1_000

/** The same where a server announces none, and the pace of the stream has to do. */
const LEAST_OBSERVED = 30_000

/** How many reads tell the pace of a stream. */
const OBSERVED = 4

/** Where the messages of a stream go. */
export interface Sink {
  onReady(ready: Ready): void
  /** An event. Gives the outcome when nothing is to be read behind it. */
  onMessage(message: DecodedMessage): Outcome | undefined
  onCursor(cursor: string): void
  onGap(gap: Gap): void
  /** The server is finished with this client; gives what that means. */
  onEnd(url: string): Outcome
  /** Something is wrong that does not end the stream. */
  readonly onError: (error: EventwireError) => void
  /** A promise to wait for before more is read. */
  room(): Promise<void> | undefined
}

/** One attempt to connect, and how it goes. Times are those of `performance.now()`. */
export interface Attempt {
  /** Its number in a row of failures, from 1. */
  readonly number: number
  /** Ends it when it aborts. */
  readonly controller: AbortController
  /** Whether a request went out. */
  sent: boolean
  /** When the stream opened; 0 when it did not. */
  opened: number
  /** When its last bytes came, as long as it has brought no event. */
  heard: number
  /** How often a sign of life was announced, in ms. */
  heartbeat: number
  /** Whether it brought an event. */
  healthy: boolean
  /** Whether the machine slept when the stream fell silent. */
  slept: boolean
  /** Whether the page was left, and whether it has come back since. */
  left: boolean
  back: boolean
  /** The reconnection time that the server asked for, in ms. */
  retry?: number
}

/** Connects once and reads until the stream ends. Never rejects. */
export async function connect(stream: Stream, attempt: Attempt): Promise<Outcome> {
  const { options, settings, trace, sink } = stream
  const { number, controller } = attempt
  const { signal } = controller
  let url = ''
  const watchdog = createWatchdog((limit, slept) => {
    attempt.slept = slept
    const silence = `Nothing${url && ` from ${url}`} for ${limit} ms${attempt.opened ? ', not even a heartbeat.' : '. A proxy may be buffering it.'}`
    controller.abort(new EventwireError('timeout', silence))
  })

  const run = async (): Promise<Outcome> => {
    const request = await prepare(stream, number)
    url = request.url
    signal.throwIfAborted()
    trace?.({ type: 'request', ...request })
    attempt.sent = true
    // Called without a receiver: the global fetch refuses any but its own.
    const { fetch = globalThis.fetch } = options
    const response = await fetch(url, { ...request.init, signal })
    trace?.({ type: 'response', url, status: response.status })
    const body = response.body?.getReader()
    // A fetch of one's own need not heed the signal, neither before its response nor in its body.
    whenAborted(signal, () => void body?.cancel().catch(() => {}))
    if (response.status === 204) return sink.onEnd(url)
    return isStream(response) && body ? read(body, request, stream, attempt, watchdog) : interpret(response, url, body)
  }

  try {
    watchdog.waiting()
    watchdog.arm(settings.connectTimeout)
    // What the application gave to be asked need not heed the signal either.
    return await unlessAborted(run(), signal)
  } catch (thrown) {
    return failure(thrown, url)
  } finally {
    watchdog.stop()
    // Lets go of the socket, whichever way the attempt ended.
    controller.abort()
  }
}

async function read(
  body: Body,
  { url, init, lastEventId }: PreparedRequest,
  { settings, position, trace, sink, onStatus }: Stream,
  attempt: Attempt,
  watchdog: Watchdog,
): Promise<Outcome> {
  const { signal } = attempt.controller
  let outcome: Outcome | undefined
  let { idleTimeout } = settings
  let longest = LEAST_OBSERVED / 3
  /** What the server said in an event named `error`. */
  let said: string | undefined
  const control = (message: DecodedMessage): void => {
    const { ready, gap, end, error } = readControl(message)
    if (end) outcome = sink.onEnd(url)
    if (gap) sink.onGap(gap)
    if (error) sink.onError(error)
    if (!ready) return
    if (ready.heartbeat > 0) {
      attempt.heartbeat = ready.heartbeat
      watchdog.arm((idleTimeout ??= Math.max(LEAST_IDLE, 3 * ready.heartbeat)))
    }
    sink.onReady(ready)
  }
  const decoder = createDecoder({
    lastEventId,
    maxEventBytes: settings.eventBytes,
    maxIdBytes: settings.idBytes,
    onMessage(message) {
      // A handler may have closed the subscriber.
      if (outcome || signal.aborted) return
      trace?.({ type: 'message', message })
      if (message.event[0] === '$') return control(message)
      attempt.healthy = true
      if (message.event === 'error') said = message.data
      outcome = sink.onMessage(message)
    },
    onCursor: (cursor) => outcome ?? (signal.aborted || sink.onCursor(cursor)),
    onRetry(ms) {
      attempt.retry = ms
    },
    onError(error) {
      outcome ??= { kind: 'fatal', error }
    },
  })

  attempt.opened = performance.now()
  watchdog.arm(idleTimeout ?? Infinity)
  onStatus({ state: 'open' })
  for (let reads = 1; !outcome; reads++) {
    const room = sink.room()
    if (room) {
      watchdog.idle()
      await room
    }
    const since = watchdog.waiting()
    const { done, value } = await body.read()
    if (done) return { kind: 'retry', error: interrupted(url, said) }
    // Only while somebody wants to know: to ask for the time costs a good part of what a short event does.
    if (!idleTimeout || !attempt.healthy) {
      attempt.heard = performance.now()
      longest = Math.max(longest, attempt.heard - since)
    }
    decoder.push(value)
    // A false alarm must cost nothing: without a cursor, what comes meanwhile would be lost; and a POST may think for long.
    const harmless = init.method === 'GET' && position.received
    if (!idleTimeout && harmless && reads >= OBSERVED) watchdog.arm(3 * longest)
  }
  return outcome
}

/** Settles as the promise does, unless the signal aborts first: then it rejects with its reason. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    promise.then(resolve, reject)
    whenAborted(signal, () => reject(signal.reason as Error))
  })
}

/** Calls back when the signal aborts, also if it has already: then it would not say so again. */
function whenAborted(signal: AbortSignal, then: () => void): void {
  if (signal.aborted) then()
  else signal.addEventListener('abort', then)
}

function failure(thrown: unknown, url: string): Outcome {
  if (thrown instanceof EventwireError) return { kind: thrown.code === 'invalid-option' ? 'fatal' : 'retry', error: thrown }
  // Node says only "fetch failed", and the reason in its cause; where it has tried several addresses, in the errors of that.
  const cause = (thrown as { cause?: unknown } | undefined)?.cause ?? thrown
  const reason = messageOf(cause) || messageOf((cause as Partial<AggregateError>).errors?.[0])
  return { kind: 'retry', error: new EventwireError('network', `The stream from ${url} failed: ${reason}`, { cause: thrown }) }
}
