import { EventwireError, messageOf } from '../errors.ts'
import type { Gap, Ready } from '../wire/control.ts'
import { createDecoder, MAX_DELAY, type DecodedMessage } from '../wire/decode.ts'
import { isControl, readControl, type Control } from './control.ts'
import type { Settings } from './options.ts'
import { interpret, whenAborted, type Meaning } from './response.ts'
import { createWatchdog, type Watchdog } from './watchdog.ts'

/** Uptime in ms after which a connection counts as healthy though it brought no event. */
const HEALTHY = 5_000

/** The least silence that the watchdog takes for a fault, in ms, whatever heartbeat a server announces. */
const LEAST_IDLE = 1_000

/** How an attempt ended. */
export type Outcome =
  | Exclude<Meaning, { kind: 'stream' }>
  /** The network, the server or a timeout ended the stream in its midst; or the request never came through. */
  | { readonly kind: 'cut'; readonly error?: EventwireError }

/** What an attempt is made of. */
export interface Attempt {
  readonly fetch: typeof globalThis.fetch
  /** Gives what to ask for. May be asynchronous: a failure of it is one of the attempt. */
  readonly request: () => Promise<{ readonly url: string | URL; readonly init: RequestInit }>
  readonly settings: Settings
  /** The last event id in force when the stream begins. */
  readonly lastEventId: string
  /** Ends the attempt when it aborts. */
  readonly signal: AbortSignal
}

/** What a stream tells on its way. */
export interface StreamListener {
  onOpen(): void
  /** The connection has proved itself: the next failure is the first in a row. */
  onHealthy(): void
  onReady(ready: Ready): void
  /** An event; gives true when it is the last. */
  onMessage(message: DecodedMessage): boolean
  onCursor(cursor: string): void
  onGap(gap: Gap): void
  onRetry(retry: number): void
  /** A control message that cannot be read. */
  onInvalid(error: EventwireError): void
  /** A promise to wait for before more is read. */
  room(): Promise<void> | undefined
}

/** Connects once and reads until the stream ends. Never rejects. */
export async function connect(attempt: Attempt, listener: StreamListener): Promise<Outcome> {
  const { settings, signal } = attempt
  const { connectTimeout, idleTimeout } = settings
  const controller = new AbortController()
  const abort = (): void => controller.abort()
  let from = ''
  const giveUp = (message: string): void => controller.abort(new EventwireError('timeout', message))
  const timer = setTimeout(() => giveUp(`No response${from} within ${connectTimeout} ms.`), Math.min(connectTimeout, MAX_DELAY))
  const watchdog = createWatchdog((limit) => giveUp(`Nothing${from} for ${limit} ms, not even a heartbeat.`))
  const respond = async (): Promise<Response> => {
    const { url, init } = await attempt.request()
    from = ` from ${url}`
    controller.signal.throwIfAborted()
    return attempt.fetch(url, { ...init, signal: controller.signal })
  }
  let healthy: ReturnType<typeof setTimeout> | undefined
  signal.addEventListener('abort', abort)
  try {
    if (signal.aborted) return { kind: 'cut' }
    const meaning = await unlessAborted(
      respond().then((response) => interpret(response, controller.signal)),
      controller.signal,
    )
    clearTimeout(timer)
    if (meaning.kind !== 'stream') return meaning
    healthy = setTimeout(() => listener.onHealthy(), HEALTHY)
    if (idleTimeout !== 'auto') watchdog.arm(idleTimeout)
    const outcome = await read(meaning.body, attempt, listener, watchdog, controller.signal)
    controller.signal.throwIfAborted()
    return outcome
  } catch (cause) {
    return failure(controller.signal.aborted ? controller.signal.reason : cause, from)
  } finally {
    clearTimeout(timer)
    clearTimeout(healthy)
    watchdog.stop()
    signal.removeEventListener('abort', abort)
    // Lets go of the socket, whichever way the attempt ended.
    abort()
  }
}

/** The meaning of the response, unless the signal aborts first: the url, the headers or a fetch of one's own need not heed it. */
async function unlessAborted(meaning: Promise<Meaning>, signal: AbortSignal): Promise<Meaning> {
  const aborted = new Promise<never>((_, reject) => {
    whenAborted(signal, () => reject(signal.reason as Error))
  })
  try {
    return await Promise.race([meaning, aborted])
  } catch (error) {
    meaning.then((late) => (late.kind === 'stream' ? late.body.cancel() : undefined)).catch(() => {})
    throw error
  }
}

function failure(cause: unknown, from: string): Outcome {
  if (!(cause instanceof EventwireError)) {
    return { kind: 'cut', error: new EventwireError('network', `The stream${from} failed: ${reason(cause)}`, { cause }) }
  }
  return { kind: cause.code === 'invalid-option' ? 'fatal' : 'cut', error: cause }
}

async function read(
  body: ReadableStream<Uint8Array>,
  attempt: Attempt,
  listener: StreamListener,
  watchdog: Watchdog,
  signal: AbortSignal,
): Promise<Outcome> {
  const { idleTimeout, eventBytes, idBytes } = attempt.settings
  const reader = body.getReader()
  // A fetch of one's own need not end its body with the signal; this ends a read that waits.
  whenAborted(signal, () => void reader.cancel().catch(() => {}))
  listener.onOpen()
  let outcome: Outcome | undefined

  const control = (message: DecodedMessage): void => {
    let said: Control | undefined
    try {
      said = readControl(message)
    } catch (error) {
      return listener.onInvalid(error as EventwireError)
    }
    if (said?.kind === 'end') outcome = { kind: 'ended' }
    if (said?.kind === 'gap') listener.onGap(said.gap)
    if (said?.kind !== 'ready') return
    if (idleTimeout === 'auto' && said.ready.heartbeat > 0) watchdog.arm(Math.max(LEAST_IDLE, 3 * said.ready.heartbeat))
    listener.onReady(said.ready)
  }
  const decoder = createDecoder({
    lastEventId: attempt.lastEventId,
    maxEventBytes: eventBytes,
    maxIdBytes: idBytes,
    onMessage(message) {
      if (outcome) return
      if (isControl(message.event)) return control(message)
      listener.onHealthy()
      if (listener.onMessage(message)) outcome = { kind: 'ended' }
    },
    onCursor: (cursor) => outcome ?? listener.onCursor(cursor),
    onRetry: (retry) => listener.onRetry(retry),
    onError(error) {
      outcome ??= { kind: 'fatal', error }
    },
  })

  while (!outcome) {
    await listener.room()
    watchdog.waiting()
    const { done, value } = await reader.read()
    watchdog.fed()
    if (done) return { kind: 'cut' }
    decoder.push(value)
  }
  return outcome
}

/** The text of a failed fetch: Node says only "fetch failed", and the reason in its cause. */
function reason(thrown: unknown): string {
  return messageOf((thrown as { cause?: unknown } | undefined)?.cause ?? thrown)
}
