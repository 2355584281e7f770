import { isContract, type Contract, type EventInput, type EventName } from '../contract.ts'
import { EventwireError, guard, messageOf } from '../errors.ts'
import { encode } from '../wire/encode.ts'
import { StreamConnection } from './connection.ts'
import { Fanout } from './fanout.ts'
import { answer, requestedCursor, serverError, type Answer } from './http.ts'
import { nodeResponse, type NodeRequest, type NodeResponse } from './node.ts'
import { settle, type EmitterOptions } from './options.ts'
import { createPublish, createTurns, refuseOversize } from './publish.ts'
import { reportIfUnobserved } from './rejection.ts'
import type { Attach } from './sink.ts'
import { normalizeTopics, type Topics } from './topics.ts'
import { webResponse } from './web.ts'

/** Options of one `emit`. */
export interface EmitOptions {
  /** Who hears it: the connections that listen to this topic or to `'*'`. Default: every connection. */
  topic?: string
}

/** Options of one request. */
export interface HandleOptions {
  /** What this connection listens to: topics, or `'*'` for all. Events without a topic reach it in any case. Default: the emitter's `topics`. */
  topics?: Topics | undefined
}

/** One open stream. */
export interface Connection<C extends Contract = Contract> {
  readonly topics: Topics
  /** The cursor that the client brought; `undefined` when it is new. */
  readonly lastEventId: string | undefined
  /**
   * Sends an event to this client alone, at once: behind the live events that were emitted before, and among the replayed
   * ones while it catches up. It has no `id:` line, is in no log and is not replayed.
   *
   * @returns False when nothing was sent, because the client is slow or gone.
   * @throws EventwireError as `emit` does; a failure that nobody awaits goes to `onError`.
   */
  send<N extends EventName<C>>(event: N, data: EventInput<C, N>): Promise<boolean>
  /** Ends the stream. The client reconnects, as after any cut. */
  close(): void
}

/** The server's half of a contract: publishes events, and answers requests with streams of them. */
export interface Emitter<C extends Contract = Contract> {
  /**
   * Publishes an event. With a synchronous schema it is in the log when `emit` returns; calls keep their order in any
   * case. It never waits for a client. A failure that nobody awaits goes to `onError`.
   *
   * @returns The event's id.
   * @throws EventwireError `unknown-event`, `invalid-payload`, `one-way-schema`, `too-large`, `invalid-message`,
   * `invalid-option` or `emitter-closed`; then nothing is sent.
   */
  emit<N extends EventName<C>>(event: N, data: EventInput<C, N>, options?: EmitOptions): Promise<string>
  /** Answers a web request: 200 and the stream, 405 unless the method is GET or HEAD, 503 after `close`, 500 for bad options. Never rejects. */
  handle(request: Request, options?: HandleOptions): Promise<Response>
  /** The same on node: `node:http`, `node:http2`, and frameworks that show the `req` and `res` beneath. */
  handleNode(request: NodeRequest, response: NodeResponse, options?: HandleOptions): void
  /** Ends every connection and refuses new ones; clients reconnect, to whoever answers then. Resolves when the last is gone. A second call joins the first. */
  close(): Promise<void>
}

/** The topic of an emit. One that is there and no string is a mistake, which must not send to everyone what was meant for few. */
function topicOf(options: EmitOptions | undefined): string | undefined {
  if (options === undefined || options === null) return undefined
  if (typeof options === 'object' && !('topic' in options)) return undefined
  if (typeof options === 'object' && typeof options.topic === 'string') return options.topic
  throw new EventwireError('invalid-option', `emit: the topic is no string. Give { topic: 'name' }, or no options to reach everyone.`)
}

/**
 * Makes the server's half of a contract.
 *
 * @throws EventwireError `invalid-option`, which names the option.
 */
export function createEmitter<C extends Contract>(contract: C, options: EmitterOptions<C> = {}): Emitter<C> {
  if (!isContract(contract)) throw new EventwireError('invalid-option', 'createEmitter takes the contract that defineEvents returned.')
  const { onConnect, onDisconnect, onError = (error: EventwireError) => console.error(error) } = options
  const settings = settle(options)
  const { log, retry } = settings
  const fanout = new Fanout(log, settings.heartbeat, settings.stallTimeout)
  const unlisten = log.listen(fanout)
  const publish = createPublish(contract, log, settings.eventBytes)
  const announced = { heartbeat: settings.heartbeat, text: contract.text, ends: contract.ends }
  const ended = Promise.withResolvers<void>()
  let closed = false

  const report = (error: unknown): void => {
    const told = error instanceof EventwireError ? error : new EventwireError('hook-failed', messageOf(error), { cause: error })
    guard(() => onError(told), console.error)
  }

  const notify = (hook: EmitterOptions<C>['onConnect'], connection: Connection<C>): void =>
    guard(
      () => hook?.(connection),
      (cause) => report(new EventwireError('hook-failed', `A hook of the emitter threw: ${messageOf(cause)}`, { cause })),
    )

  /** What `emit` and `send` return: done at once where that is possible, and reported if it fails unheard. */
  const outcome = <T>(work: () => T | Promise<T>): Promise<T> => {
    try {
      const result = work()
      return result instanceof Promise ? reportIfUnobserved(result, report) : Promise.resolve(result)
    } catch (error) {
      return reportIfUnobserved(Promise.reject<T>(error as Error), report)
    }
  }

  const connectionOf = (stream: StreamConnection): Connection<C> => {
    const inTurn = createTurns()
    return {
      topics: stream.group.topics,
      lastEventId: stream.request.lastEventId,
      send: (event, data) =>
        outcome(() =>
          inTurn(contract.serialize(event, data), (written) => {
            refuseOversize(event, written, settings.eventBytes)
            return stream.send(encode({ event, data: written }))
          }),
        ),
      close: () => stream.close(),
    }
  }

  /** How a request for the stream is answered and, when it gets one, how its transport is attached. */
  const admit = (method: string | undefined, lastEventId: string | undefined, given: HandleOptions): { reply: Answer; attach: Attach } => {
    let topics: Topics = []
    let reply = answer(method, closed)
    try {
      topics = normalizeTopics(given.topics ?? settings.topics)
    } catch (error) {
      report(error)
      reply = serverError()
    }
    const attach: Attach = (sink) => {
      const stream = new StreamConnection(log, fanout, sink, { topics, lastEventId, announced, retry, onOpen, onGone })
      const connection = connectionOf(stream)
      function onOpen(): void {
        notify(onConnect, connection)
        // The response was given before `close`, and its body is read only now.
        if (closed) stream.close()
      }
      function onGone(): void {
        notify(onDisconnect, connection)
        if (closed && fanout.connections.size === 0) ended.resolve()
      }
      return stream
    }
    return { reply, attach }
  }

  return {
    emit: (event, data, emitOptions) =>
      outcome(() => {
        if (closed) throw new EventwireError('emitter-closed', `emit(${JSON.stringify(event)}): this emitter was closed.`, { event })
        return publish(event, data, topicOf(emitOptions))
      }),

    handle: async (request, given = {}) => {
      const { reply, attach } = admit(request.method, requestedCursor(request.headers.get('last-event-id'), request.url), given)
      return webResponse(reply, request.signal, settings.highWaterMark, attach)
    },

    handleNode(request, response, given = {}) {
      const { reply, attach } = admit(
        request.method,
        requestedCursor(String(request.headers['last-event-id'] ?? ''), request.url ?? ''),
        given,
      )
      nodeResponse(reply, response, settings.highWaterMark, attach)
    },

    close() {
      if (!closed) {
        closed = true
        unlisten()
        for (const stream of fanout.connections) stream.close()
        if (fanout.connections.size === 0) ended.resolve()
      }
      return ended.promise
    },
  }
}
