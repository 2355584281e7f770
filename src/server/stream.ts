import { isContract, type Contract } from '../contract.ts'
import { EventwireError } from '../errors.ts'
import { createAdmission } from './admission.ts'
import { createCors } from './cors.ts'
import { encodeEvent, type OutgoingEvent } from './event.ts'
import { createHandlers, type Handlers } from './handlers.ts'
import { Heartbeat } from './heartbeat.ts'
import { checkMembers } from './members.ts'
import { settleStream, STREAM_MEMBERS, type StreamOptions } from './options.ts'
import type { Source } from './pump.ts'
import { askHook, createReport, hookFailed } from './report.ts'
import { RequestStream } from './request-stream.ts'
import { Shutdown, type CloseOptions } from './shutdown.ts'
import { Slots } from './slots.ts'

/** What a stream is made for. */
export interface StreamRequest<Context = unknown> {
  /** Aborts when the client has left, or the server is closing. Pass it on to what you wait for. */
  readonly signal: AbortSignal
  /** The last `id` that this client has of an earlier stream: go on behind it. `undefined` when it is new. */
  readonly lastEventId: string | undefined
  /** What `connect` granted with it. */
  readonly context: Context
  readonly request: Request
}

/** What a generator yields. With an `id`, a client that was cut brings it as `lastEventId`. */
export type StreamedEvent<C extends Contract = Contract> = OutgoingEvent<C> & { id?: string }

/** Makes the events of one request. */
export type StreamGenerator<C extends Contract, Context> = (
  request: StreamRequest<Context>,
) => Source<StreamedEvent<C>> | Promise<Source<StreamedEvent<C>>>

/** Options of {@link streamEvents}. Times are in milliseconds. */
export interface StreamEventsOptions<C extends Contract = Contract, Context = undefined> extends StreamOptions<Context> {
  /**
   * Says in an event of the contract what the generator threw; then the stream is over for the client, as after a return. When
   * it gives nothing the stream just ends, and the client tries again. `onError` hears of the error in any case. Default: gives nothing.
   */
  error?: ((error: unknown) => OutgoingEvent<C> | undefined) | undefined
}

/**
 * Answers each request with a stream of its own. GET and POST; the rest as an emitter does.
 */
export interface EventStreams extends Handlers<never> {
  /** How many streams are open. */
  readonly connections: number
  /**
   * Refuses new streams with 503, and asks those that are open to end, spread over the grace period: their `signal` aborts, and what they yield before
   * they return is still sent. What is left after it is cut; without grace, at once. Clients come back, unless they have heard a terminal event. Resolves when the last is
   * gone. A second call joins the first.
   *
   * @throws EventwireError `invalid-option` for a `grace` that is none.
   */
  close(options?: CloseOptions): Promise<void>
}

/**
 * Streams that are made for one request each: progress, tokens, polls. The generator is drawn from only as fast as the
 * client takes its events; whichever way the stream ends, the generator's `finally` runs. When it returns, the client is
 * told that this was all, and does not come back.
 *
 * @throws EventwireError `invalid-option`, which names the option.
 */
export function streamEvents<C extends Contract>(contract: C, generator: StreamGenerator<C, undefined>): EventStreams
export function streamEvents<C extends Contract, Context = undefined>(
  contract: C,
  options: StreamEventsOptions<C, Context>,
  generator: StreamGenerator<C, NoInfer<Context>>,
): EventStreams
export function streamEvents<C extends Contract, Context>(
  contract: C,
  ...rest: [StreamGenerator<C, Context>] | [StreamEventsOptions<C, Context>, StreamGenerator<C, Context>]
): EventStreams {
  const [options, generator] = rest.length === 1 ? [{}, rest[0]] : rest
  if (!isContract(contract)) throw new EventwireError('invalid-option', 'streamEvents takes the contract that defineEvents returned.')
  if (typeof generator !== 'function') throw new EventwireError('invalid-option', 'streamEvents takes the generator of events last.')
  checkMembers('streamEvents', options, { ...STREAM_MEMBERS, error: 'function' })
  const settings = settleStream(options)
  const report = createReport(options.onError)
  const heartbeat = new Heartbeat<RequestStream<StreamedEvent<C>>>(settings.heartbeat, settings.stallTimeout)
  const shutdown = new Shutdown(heartbeat.connections, settings.retry ?? 1_000, () => {})
  const ready = { epoch: '', resumed: false, replayed: 0, heartbeat: settings.heartbeat, text: contract.text, ends: contract.ends }

  const encodeItem = async ({ event, data, id }: StreamedEvent<C>): Promise<string> => {
    if (id !== undefined && id.length > settings.cursorBytes) {
      throw new EventwireError(
        'too-large',
        `The id of event ${JSON.stringify(event)} takes more than ${settings.cursorBytes} characters.`,
        { event },
      )
    }
    return encodeEvent(event, await contract.serialize(event, data), settings.eventBytes, id)
  }

  const encodeFailure = async (error: unknown): Promise<string | undefined> => {
    try {
      report(hookFailed('generator', error))
      const told = options.error && askHook('error', () => options.error?.(error))
      return told && (await encodeItem(told))
    } catch (cause) {
      report(cause instanceof EventwireError ? cause : hookFailed('error', cause))
      return undefined
    }
  }

  const admit = createAdmission<Context>(
    {
      methods: ['GET', 'POST'],
      cors: createCors(options.cors, ['GET', 'POST']),
      slots: new Slots(settings.connections, settings.perKey),
      connect: options.connect,
      keyOf: options.limits?.perKey?.key,
      topics: [],
      maxTopics: settings.maxTopics,
      headerBytes: settings.headerBytes,
      closing: () => shutdown.phase !== 'open',
      refused: () => {},
      report,
    },
    ({ context, lastEventId: given }, requestOf) => {
      const request = requestOf()
      // Longer than any that was given out: it is of no use to the generator.
      const lastEventId = given && given.length > settings.cursorBytes ? undefined : given
      return (sink, release) =>
        new RequestStream(heartbeat, sink, {
          ready,
          retry: settings.retry,
          source: (signal) => generator({ signal, lastEventId, context, request }),
          encodeItem,
          encodeFailure,
          onGone() {
            release()
            shutdown.gone()
          },
        })
    },
  )

  return {
    ...createHandlers<never>((incoming) => admit(incoming, undefined), settings.highWaterMark, report),
    get connections() {
      return heartbeat.connections.size
    },
    close: (closing) => shutdown.start(closing),
  }
}
