import { EventwireError, messageOf } from '../errors.ts'
import type { Gap, Ready } from '../wire/control.ts'
import { createDecoder, MAX_DELAY, type DecodedMessage } from '../wire/decode.ts'
import { isControl, readControl, type Control } from './control.ts'
import type { Settings } from './options.ts'
import { interpret, type Meaning } from './response.ts'
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
  readonly url: string | URL
  readonly init: RequestInit
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
  const { fetch, url, init, signal } = attempt
  const { connectTimeout, idleTimeout } = attempt.settings
  const controller = new AbortController()
  const abort = (): void => controller.abort()
  let fault: EventwireError | undefined
  const giveUp = (message: string): void => {
    fault = new EventwireError('timeout', message)
    controller.abort(fault)
  }
  const timer = setTimeout(() => giveUp(`${url} gave no response within ${connectTimeout} ms.`), Math.min(connectTimeout, MAX_DELAY))
  const watchdog = createWatchdog((limit) => giveUp(`Nothing came from ${url} for ${limit} ms, not even a heartbeat.`))
  let healthy: ReturnType<typeof setTimeout> | undefined
  signal.addEventListener('abort', abort)
  try {
    // Closed while the url or the headers were asked for.
    if (signal.aborted) return { kind: 'cut' }
    const meaning = await interpret(await fetch(url, { ...init, signal: controller.signal }))
    clearTimeout(timer)
    if (meaning.kind !== 'stream') return meaning
    healthy = setTimeout(() => listener.onHealthy(), HEALTHY)
    if (idleTimeout !== 'auto') watchdog.arm(idleTimeout)
    listener.onOpen()
    return await read(meaning.body, attempt, listener, watchdog)
  } catch (cause) {
    return { kind: 'cut', error: fault ?? new EventwireError('network', `The connection to ${url} failed: ${reason(cause)}`, { cause }) }
  } finally {
    clearTimeout(timer)
    clearTimeout(healthy)
    watchdog.stop()
    signal.removeEventListener('abort', abort)
    // Lets go of the socket, whichever way the attempt ended.
    abort()
  }
}

async function read(body: ReadableStream<Uint8Array>, attempt: Attempt, listener: StreamListener, watchdog: Watchdog): Promise<Outcome> {
  const { idleTimeout, eventBytes, idBytes } = attempt.settings
  const reader = body.getReader()
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
