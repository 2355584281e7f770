import { isContract, type Contract, type EventData, type EventName, type EventOf } from '../contract.ts'
import { EventwireError, guard, messageOf, type ErrorDetails } from '../errors.ts'
import type { Gap } from '../wire/control.ts'
import { hookFailed, stalled } from './errors.ts'
import { iterate } from './iterate.ts'
import { assertFunction, createListeners } from './listeners.ts'
import { settle, type Source, type SubscriberOptions } from './options.ts'
import { createPayloads } from './payload.ts'
import { createPosition } from './position.ts'
import { createQueue, type Handler } from './queue.ts'
import { keepConnected } from './reconnect.ts'
import { createSink } from './sink.ts'
import type { Closed, Status } from './status.ts'
import type { TraceEvent } from './trace.ts'
import type { Unvalidated } from './unvalidated.ts'

/** Handles an event. When it returns a promise, the handler gets its next event only after that has settled. */
export type EventHandler<C extends Contract, N extends EventName<C>> = (data: EventData<C, N>, event: EventOf<C, N>) => unknown

/** The client's half of a contract: one stream of events that outlives many connections. */
export interface Subscriber<C extends Contract> extends AsyncIterable<EventOf<C>, undefined> {
  /**
   * Calls `handler` for each event of this name, in order. The first handler opens the connection. What it throws goes to
   * `onError` and stops no other handler.
   *
   * @returns A function that removes the handler; calling it again does nothing.
   * @throws EventwireError `unknown-event` for a name that the contract does not have.
   */
  on<N extends EventName<C>>(event: N, handler: EventHandler<C, N>): () => void
  /** Like `on`, for the next such event only. */
  once<N extends EventName<C>>(event: N, handler: EventHandler<C, N>): () => void
  /**
   * The events of one name as a loop takes them, `for await (const { data } of stream.events('price'))`; all events without a name.
   * The loop sets its own pace; `break` leaves it and nothing else. It ends with the stream, and throws the fault that closed it.
   *
   * @throws EventwireError `unknown-event` for a name that the contract does not have.
   */
  events<N extends EventName<C> = EventName<C>>(event?: N): AsyncIterableIterator<EventOf<C, N>, undefined>
  /** All events as a web stream, read only as fast as it is read itself. To cancel it leaves the subscriber open. */
  toReadableStream(): ReadableStream<EventOf<C>>
  /** Calls `listener` whenever `status` changes. Gives a function that removes it. */
  onStatus(listener: (status: Status) => unknown): () => void
  /** Calls `listener` when events may have been lost, once, as soon as one of the handlers has come to that place. Gives a function that removes it. */
  onGap(listener: (gap: Gap) => unknown): () => void
  /**
   * Calls `listener` for what is wrong: invalid payloads, handlers and listeners that throw or do not finish, hooks that fail
   * beside the stream, streams that are held back, what a server says in an event named `error`, and the fault that closed the
   * stream. Without one they go to `console.error`. Gives a function that removes it.
   */
  onError(listener: (error: EventwireError) => unknown): () => void
  readonly status: Status
  /** The cursor: the id of the last event that all handlers have finished with, and all before it. `''` when there is none. */
  readonly lastEventId: string
  /** Resolves when the stream is over for good and its last event handled; after `close()` at once, without those under way. Never rejects. */
  readonly closed: Promise<Closed>
  /** Closes the stream for good. */
  close(): void
}

/**
 * Makes the client's half of a contract. It connects when the first handler or loop arrives.
 *
 * Give the contract, and every event is validated; or only its type, `createSubscriber<typeof events>(url)`, and no schema
 * is in your bundle: events are then read as the server declares them and trusted. What a schema would make of JSON, such
 * as a `Date`, stays what JSON gives, and is typed so.
 *
 * @param url Where the stream is; a function is asked anew at each attempt.
 * @throws EventwireError `invalid-option`, which names the option.
 */
export function createSubscriber<C extends Contract>(contract: C, url: Source<string | URL>, options?: SubscriberOptions): Subscriber<C>
export function createSubscriber<C extends Contract>(url: Source<string | URL>, options?: SubscriberOptions): Subscriber<Unvalidated<C>>
export function createSubscriber<C extends Contract>(
  first: C | Source<string | URL>,
  second?: Source<string | URL> | SubscriberOptions,
  third?: SubscriberOptions,
): Subscriber<C> | Subscriber<Unvalidated<C>> {
  // The overloads pair the arguments, which TypeScript cannot see from within.
  return isContract(first)
    ? subscribe(first, second as Source<string | URL>, third)
    : subscribe<Unvalidated<C>>(undefined, first, second as SubscriberOptions | undefined)
}

function subscribe<C extends Contract>(contract: C | undefined, url: Source<string | URL>, options: SubscriberOptions = {}): Subscriber<C> {
  if (typeof url !== 'string' && typeof url !== 'function' && !(url instanceof URL)) {
    throw new EventwireError(
      'invalid-option',
      `createSubscriber: the url is ${typeof url}; give (contract, url, options), or (url, options) for types alone.`,
    )
  }
  const settings = settle(options)
  const { signal, overflow, share = (stream, alone) => alone(stream), onTrace } = options
  const payloads = createPayloads(contract)
  const statusListeners = createListeners<Status>()
  const gapListeners = createListeners<Gap>()
  const errorListeners = createListeners<EventwireError>()
  const closing = new AbortController()
  const closed = Promise.withResolvers<Closed>()
  let status: Status = { state: 'connecting', attempt: 1 }
  let started = false

  const report = (error: EventwireError): void => {
    if (!errorListeners.tell(error, console.error)) console.error(error)
  }
  const failed = (what: string, cause: unknown, details: ErrorDetails = {}): void =>
    report(new EventwireError('handler-failed', `${what} threw: ${messageOf(cause)}`, { cause, ...details }))
  const trace =
    onTrace &&
    ((event: TraceEvent): void =>
      guard(
        () => onTrace({ at: performance.now(), ...event }),
        (cause) => failed('onTrace', cause),
      ))
  const setStatus = (next: Status): void => {
    if (status.state === 'closed') return
    status = next
    trace?.({ type: 'status', status })
    statusListeners.tell(next, (cause) => failed('A listener of onStatus', cause))
  }

  const position = createPosition(options, report, trace)
  const queue = createQueue({
    limit: settings.queue,
    dropOldest: overflow === 'drop-oldest',
    decode: payloads.decode,
    onGap(gap) {
      const heard = gapListeners.tell(gap, (cause) => failed('A listener of onGap', cause))
      if (!heard) console.warn(`eventwire: events may have been lost (${gap.reason}), and nobody listens with onGap.`)
    },
    onInvalid: (error, { id }) => report(Object.assign(error as EventwireError, { id })),
    onHandlerError: (cause, { event, id }) => failed(`A handler of event ${JSON.stringify(event)}`, cause, { event, id }),
    onStalled: (at) => report(stalled(at)),
    onCommit: position.handle,
  })
  const sink = createSink({
    payloads,
    queue,
    position,
    limit: overflow === 'error' ? settings.queue : undefined,
    onReady: ({ resumed, replayed }) => setStatus({ state: 'open', resumed, replayed }),
    onError: report,
  })

  const finish = (end: Closed): void => {
    const thrown = queue.end(end)
    if (status.state === 'closed') return
    closing.abort()
    signal?.removeEventListener('abort', close)
    setStatus({ state: 'closed', ...end })
    // A loop throws the fault: then it need not be on the console too.
    if (end.error && !errorListeners.tell(end.error, console.error) && !thrown) console.error(end.error)
    void queue.idle().then(() => closed.resolve(end))
  }
  const close = (): void => finish({ reason: 'aborted' })

  const start = async (): Promise<void> => {
    const stream = { url, options, settings, trace, sink, position, signal: closing.signal, onStatus: setStatus }
    try {
      const end = await share(stream, keepConnected)
      if (!end.reason) throw new TypeError('it gave no end. Is it tabs, in place of tabs()?')
      finish(end)
    } catch (cause) {
      finish({ reason: 'fatal', error: hookFailed('share', cause) })
    }
  }
  const consume = (event: string | undefined, handler: Handler, onEnd?: (end: Closed) => void): (() => void) => {
    if (status.state === 'closed' && status.reason === 'aborted') {
      onEnd?.(status)
      return () => {}
    }
    const remove = queue.add(event, handler, onEnd)
    if (!started && status.state !== 'closed') {
      started = true
      void start()
    }
    return remove
  }

  const known = (event: string): string => {
    if (payloads.has(event)) return event
    throw new EventwireError(
      'unknown-event',
      `The contract has no event ${JSON.stringify(event)}. It has: ${Object.keys(contract?.schemas ?? {}).join(', ')}.`,
      { event },
    )
  }

  const on = <N extends EventName<C>>(event: N, handler: EventHandler<C, N>): (() => void) => {
    known(event)
    assertFunction(handler)
    // The queue is untyped; what it hands out under this name is what the contract says of it.
    return consume(event, (delivery) => handler(delivery.data, delivery as EventOf<C, N>))
  }

  const events = <N extends EventName<C>>(event?: N): AsyncIterableIterator<EventOf<C, N>, undefined> => {
    const name = event === undefined ? undefined : known(event)
    return iterate((handler, onEnd) => consume(name, handler, onEnd)) as AsyncIterableIterator<EventOf<C, N>, undefined>
  }

  if (signal?.aborted) close()
  else signal?.addEventListener('abort', close)

  return {
    on,
    once(event, handler) {
      assertFunction(handler)
      const remove = on(event, (data, whole) => {
        remove()
        return handler(data, whole)
      })
      return remove
    },
    events,
    toReadableStream() {
      const iterator = events()
      return new ReadableStream<EventOf<C>>(
        {
          async pull(controller) {
            const { done, value } = await iterator.next()
            if (done) controller.close()
            else controller.enqueue(value)
          },
          cancel: () => void iterator.return?.(),
        },
        { highWaterMark: 0 },
      )
    },
    onStatus(listener) {
      assertFunction(listener)
      // A listener before this one may have closed the stream: what it would be told is no longer so.
      return statusListeners.add((told) => (told === status ? listener(told) : undefined))
    },
    onGap: gapListeners.add,
    onError: errorListeners.add,
    get status() {
      return status
    },
    get lastEventId() {
      return position.committed
    },
    closed: closed.promise,
    close,
    [Symbol.asyncIterator]: () => events(),
  }
}
