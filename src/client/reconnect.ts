import { EventwireError } from '../errors.ts'
import { backoff } from './backoff.ts'
import { createBufferingWatch } from './buffering.ts'
import { connect, type Attempt, type Course } from './connection.ts'
import { exhausted, hookFailed } from './errors.ts'
import type { Source } from './options.ts'
import { watchPage } from './page.ts'
import type { Position } from './position.ts'
import { methodOf, prepare } from './request.ts'
import type { Failure } from './response.ts'
import type { Closed } from './status.ts'

/** Uptime in ms after which a connection counts as healthy though it brought no event. */
const HEALTHY = 5_000

/** A subscriber's stream, for whoever connects it. */
export interface Stream extends Pick<Attempt, 'options' | 'settings' | 'sink' | 'onStatus' | 'trace'> {
  readonly url: Source<string | URL>
  /** Aborts when the subscriber is closed. */
  readonly signal: AbortSignal
  readonly position: Position
}

/** Connects a stream in a way of its own, with the usual one at hand. */
export type Share = (stream: Stream, connectAlone: (stream: Stream) => Promise<Closed>) => Promise<Closed>

/** Connects, and connects again, until the stream is over for good. Never rejects. */
export async function keepConnected(stream: Stream): Promise<Closed> {
  const { options, settings, signal, sink, trace, onStatus } = stream
  const watchBuffering = createBufferingWatch(sink.onError)
  let base = settings.base
  /** The number of the attempt under way; 0 once its connection has proved itself, so that the next one is the first again. */
  let attempt = 1
  let renewed = false
  let controller = new AbortController()
  let course = newCourse()
  let wake = (): void => {}
  signal.addEventListener('abort', () => {
    controller.abort()
    wake()
  })
  watchPage({
    signal,
    leave() {
      course.left = true
      controller.abort(new EventwireError('network', 'The page was left.'))
    },
    wake() {
      course.back = course.left
      wake()
    },
  })

  while (!signal.aborted) {
    onStatus({ state: 'connecting', attempt })
    controller = new AbortController()
    // A listener of the status may have closed the subscriber.
    if (signal.aborted) break
    course = newCourse()
    const number = attempt
    let outcome = await connect({ ...stream, controller, course, request: () => prepare(stream, attempt) })
    trace?.({ type: 'end', ...outcome })
    if (signal.aborted) break
    if (outcome.kind === 'ended') return { reason: 'ended' }
    watchBuffering(course, outcome.error)
    // That a page was left is nobody's failure.
    if (course.left || course.healthy || (course.opened && performance.now() - course.opened > HEALTHY)) attempt = 0
    base = course.retry ?? base
    if (outcome.kind !== 'unauthorized') renewed = false
    else if (options.onUnauthorized && !renewed) {
      outcome = await renew(options.onUnauthorized, outcome)
      if (signal.aborted) break
      renewed = outcome.kind === 'unauthorized'
      if (renewed) continue
    }
    const { error } = outcome
    if (!(await mayRetry(stream, outcome, number, course.sent))) return { reason: 'fatal', error }
    if (attempt >= settings.attempts) return { reason: 'fatal', error: exhausted(attempt, error) }
    attempt++
    const delay = backoff({
      failures: Math.max(1, attempt - 1),
      base,
      max: settings.max,
      retryAfter: outcome.after,
      random: Math.random(),
    })
    onStatus({ state: 'connecting', attempt, retryAt: Date.now() + delay, error })
    // A listener of the status may have closed the subscriber here, too.
    if (signal.aborted) break
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, course.back ? 0 : delay)
      wake = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
  return { reason: 'aborted' }
}

function newCourse(): Course {
  return { sent: false, opened: 0, heard: 0, heartbeat: Infinity, healthy: false, slept: false, left: false, back: false }
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

/** Whether another attempt follows a failure. */
async function mayRetry({ options, sink, position }: Stream, { kind, error }: Failure, attempt: number, sent: boolean): Promise<boolean> {
  const lastEventId = position.received
  // A POST that was sent may have been carried out.
  const repeatable = methodOf(options) === 'GET' || options.idempotent || lastEventId !== '' || !sent
  let retry = kind === 'retry' && repeatable
  try {
    retry = (await options.shouldRetry?.(error, { attempt, lastEventId, retry })) ?? retry
  } catch (cause) {
    sink.onError(hookFailed('shouldRetry', cause))
  }
  if (!retry && kind === 'retry' && !repeatable) error.message += ' A POST is sent again only with a cursor, or when it is idempotent.'
  return retry
}
