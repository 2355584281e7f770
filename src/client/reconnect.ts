import { EventwireError } from '../errors.ts'
import { backoff } from './backoff.ts'
import { createBufferingWatch } from './buffering.ts'
import { connect, type Attempt, type Sink } from './connection.ts'
import { exhausted, hookFailed, notRepeated } from './errors.ts'
import type { Settings, Source, SubscriberOptions } from './options.ts'
import { watchPage } from './page.ts'
import type { Position } from './position.ts'
import { methodOf } from './request.ts'
import type { Failure } from './response.ts'
import type { Closed, Status } from './status.ts'
import type { TraceEvent } from './trace.ts'

/** Uptime in ms after which a connection counts as healthy though it brought no event. */
const HEALTHY = 5_000

/** A subscriber's stream, for whoever connects it. */
export interface Stream {
  readonly url: Source<string | URL>
  readonly options: SubscriberOptions
  readonly settings: Settings
  /** Aborts when the subscriber is closed. */
  readonly signal: AbortSignal
  readonly position: Position
  readonly sink: Sink
  readonly onStatus: (status: Status) => void
  /** Hears what happens, where somebody wants to know. */
  readonly trace: ((event: TraceEvent) => void) | undefined
}

/** Connects a stream in a way of its own, with the usual one at hand. */
export type Share = (stream: Stream, connectAlone: (stream: Stream) => Promise<Closed>) => Promise<Closed>

/** Connects, and connects again, until the stream is over for good. Never rejects. */
export async function keepConnected(stream: Stream): Promise<Closed> {
  const { options, settings, signal, sink, trace, onStatus } = stream
  const watchBuffering = createBufferingWatch(sink.onError)
  let { base } = settings
  /** The number of the attempt under way; 0 once its connection has proved itself, so that the next one is the first again. */
  let number = 1
  let renewed = false
  let attempt = newAttempt(number)
  let timer: ReturnType<typeof setTimeout> | undefined
  let wake = (): void => {}
  signal.addEventListener('abort', () => {
    attempt.controller.abort()
    wake()
  })
  watchPage({
    signal,
    leave() {
      attempt.left = true
      attempt.controller.abort(new EventwireError('network', 'The page was left.'))
    },
    wake() {
      attempt.back = attempt.left
      wake()
    },
  })

  for (;;) {
    onStatus({ state: 'connecting', attempt: number })
    // A listener of the status may have closed the subscriber.
    if (signal.aborted) break
    attempt = newAttempt(number)
    let outcome = await connect(stream, attempt)
    trace?.({ type: 'end', error: outcome.error })
    if (signal.aborted) break
    if (outcome.kind === 'ended') return { reason: 'ended' }
    watchBuffering(attempt, outcome.error)
    // That a page was left is nobody's failure.
    if (attempt.left || attempt.healthy || (attempt.opened && performance.now() - attempt.opened > HEALTHY)) number = 0
    base = attempt.retry ?? base
    if (outcome.kind !== 'unauthorized') renewed = false
    else if (options.onUnauthorized && !renewed) {
      outcome = await renew(options.onUnauthorized, outcome)
      if (signal.aborted) break
      renewed = outcome.kind === 'unauthorized'
      if (renewed) continue
    }
    const { error, after = 0 } = outcome
    const fatal = await refuse(stream, outcome, attempt)
    if (fatal) return { reason: 'fatal', error: fatal }
    if (number >= settings.attempts) return { reason: 'fatal', error: exhausted(number, error) }
    number++
    const delay = backoff({ failures: Math.max(1, number - 1), base, max: settings.max, retryAfter: after, random: Math.random() })
    onStatus({ state: 'connecting', attempt: number, retryAt: Date.now() + delay, error })
    // A listener of the status may have closed the subscriber here, too.
    if (signal.aborted) break
    await new Promise<void>((resolve) => {
      wake = resolve
      timer = setTimeout(resolve, attempt.back ? 0 : delay)
    })
    clearTimeout(timer)
  }
  return { reason: 'aborted' }
}

function newAttempt(number: number): Attempt {
  const controller = new AbortController()
  return {
    number,
    controller,
    sent: false,
    opened: 0,
    heard: 0,
    heartbeat: Infinity,
    healthy: false,
    slept: false,
    left: false,
    back: false,
  }
}

/** Lets the application renew what it sends; when it cannot, that is a failed attempt like any other. */
async function renew(onUnauthorized: (error: EventwireError) => void | Promise<void>, refused: Failure): Promise<Failure> {
  try {
    await onUnauthorized(refused.error)
    return refused
  } catch (cause) {
    return { kind: 'retry', error: hookFailed('onUnauthorized', cause) }
  }
}

/** The fault that a failure is when no other attempt follows it. */
async function refuse(
  { options, sink, position }: Stream,
  { kind, error }: Failure,
  { number, sent }: Attempt,
): Promise<EventwireError | undefined> {
  const lastEventId = position.received
  // A POST that was sent may have been carried out.
  const repeatable = methodOf(options) === 'GET' || options.idempotent || lastEventId !== '' || !sent
  let retry = kind === 'retry' && repeatable
  try {
    retry = (await options.shouldRetry?.(error, { attempt: number, lastEventId, retry })) ?? retry
  } catch (cause) {
    sink.onError(hookFailed('shouldRetry', cause))
  }
  if (retry) return undefined
  return kind === 'retry' && !repeatable ? notRepeated(error) : error
}
