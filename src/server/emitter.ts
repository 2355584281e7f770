import { isContract, type Contract, type EventInput, type EventName } from '../contract.ts'
import { EventwireError } from '../errors.ts'
import { createAdmission, type HandleOptions } from './admission.ts'
import { connectionHandle, type Connection } from './connection-handle.ts'
import type { ConnectionRules, OpenStream } from './connection-request.ts'
import { gapBlock } from './control.ts'
import { createCors } from './cors.ts'
import { Fanout } from './fanout.ts'
import { createHandlers, type Handlers } from './handlers.ts'
import { checkMembers } from './members.ts'
import { settleEmitter, settleStream, type EmittedEvent, type EmitterOptions } from './options.ts'
import { createPublish } from './publish.ts'
import { createOutcome } from './rejection.ts'
import { askHook, createReport, runHook, type Report } from './report.ts'
import { Shutdown, type CloseOptions } from './shutdown.ts'
import { Slots } from './slots.ts'
import { createOpening } from './opening.ts'
import { listenToAll, shardFor } from './sharding.ts'
import { createSnapshot } from './snapshot.ts'
import { countRefusal, createCounters, statsOf, type EmitterStats } from './stats.ts'

/** Options of one `emit`. */
export interface EmitOptions {
  /** Who hears it: the connections that listen to this topic or to `'*'`. Default: every connection. */
  topic?: string
}

/**
 * The server's half of a contract: publishes events, and answers requests with streams of them.
 *
 * `handle` and `handleNode` answer 200 and the stream; 204 and 403 to a preflight, 400 for a request that makes no sense or wants too
 * many topics, or topics in too many shards, 405 unless the method is GET or HEAD, 429 and 503 beyond `limits`, 431 for too large a head, 503 once `close` was called, 500 for bad options
 * and a `connect` that failed, and what else `connect` answers with.
 */
export interface Emitter<C extends Contract = Contract> extends Handlers<HandleOptions> {
  /**
   * Publishes an event. With a synchronous schema and a log in memory it is in the log when `emit` returns; calls keep their order in any
   * case. It never waits for a client. A failure that nobody awaits goes to `onError`.
   *
   * @returns The event's id, once it is in the log. Where the log has shards it says nothing of the others: a client that begins there in several hears a `gap`.
   * @throws EventwireError `unknown-event`, `invalid-payload`, `one-way-schema`, `too-large`, `invalid-message`,
   * `invalid-option` or `emitter-closed`; then nothing is sent. `log-unavailable` when a log that is shared did not answer in time: then it may be.
   */
  emit<N extends EventName<C>>(event: N, data: EventInput<C, N>, options?: EmitOptions): Promise<string>
  /** How it stands now, and what has happened since it was made. Looks at every connection, so not at each event. */
  stats(): EmitterStats
  /**
   * Refuses new connections with 503, and ends those that are open: over the grace period, each with a reconnection time of its own, so that they do not all come
   * back at once. Until it is their turn they hear what is emitted. Resolves when the last is gone. A second call joins the first.
   *
   * @throws EventwireError `invalid-option` for a `grace` that is none.
   */
  close(options?: CloseOptions): Promise<void>
}

/** The topic of an emit. One that is there and no string, or misspelt, is a mistake, which must not send to everyone what was meant for few. */
function topicOf(options: EmitOptions | undefined): string | undefined {
  if (options === undefined || options === null) return undefined
  if (typeof options.topic === 'string' && Object.keys(options).length === 1) return options.topic
  checkMembers<EmitOptions>('emit', options, { topic: 'value' })
  if (!('topic' in options) || typeof options.topic === 'string') return options.topic
  throw new EventwireError('invalid-option', `emit: the topic is no string. Give { topic: 'name' }, or no options to reach everyone.`)
}

/** What an event replaces. A key that fails, or is none, replaces nothing: then nothing is left out. */
function keyFrom(latest: () => unknown, report: Report): string | undefined {
  try {
    const key = askHook('slowConsumer.latest', latest)
    return typeof key === 'string' ? key : undefined
  } catch (error) {
    report(error)
    return undefined
  }
}

/**
 * Makes the server's half of a contract.
 *
 * @throws EventwireError `invalid-option`, which names the option.
 */
export function createEmitter<C extends Contract, Context = undefined>(contract: C, options: EmitterOptions<C, Context> = {}): Emitter<C> {
  if (!isContract(contract)) throw new EventwireError('invalid-option', 'createEmitter takes the contract that defineEvents returned.')
  const { log, topics, start, policy, latest, zlib, detach } = settleEmitter(options)
  const settings = settleStream(options)
  // All that may refuse an option comes before the log is taken.
  const cors = createCors(options.cors, ['GET'])
  const { limits, onConnect, onDisconnect, onEmit, onGap, onSlow } = options
  const report = createReport(options.onError)
  const outcome = createOutcome(report)
  const counters = createCounters()
  const fanouts = log.shards.map((shard) => new Fanout(shard, settings.heartbeat, settings.stallTimeout, report))
  // Every stream listens in the first shard, and ends as a whole with what it has there.
  const shutdown = new Shutdown(fanouts[0]!.connections, settings.retry ?? 1_000, listenToAll(fanouts))
  const slots = new Slots(settings.connections, settings.perKey)
  const announced = { heartbeat: settings.heartbeat, text: contract.text, ends: contract.ends }
  const sendSnapshot = options.snapshot && createSnapshot(contract, options.snapshot, settings.eventBytes, report)

  const publish = createPublish({
    contract,
    log: log.shards.length === 1 ? log.shards[0]! : { append: (record) => log.shards[shardFor(log, record.topic)]!.append(record) },
    eventBytes: settings.eventBytes,
    keyOf: latest && ((event, data, topic) => keyFrom(() => latest({ event, data, topic } as EmittedEvent<C>), report)),
    onPublished(event, id, topic) {
      counters.emits++
      if (onEmit) runHook('onEmit', () => onEmit({ event: event as EventName<C>, id, topic }), report)
    },
  })

  /** Made for those of whom the application hears. */
  const handles = new WeakMap<OpenStream<Context>, Connection<C, Context>>()
  const handleOf = (stream: OpenStream<Context>): Connection<C, Context> => {
    let handle = handles.get(stream)
    if (!handle) handles.set(stream, (handle = connectionHandle(contract, stream, settings.eventBytes, outcome)))
    return handle
  }

  const rules: ConnectionRules<Context> = {
    cursorBytes: settings.cursorBytes,
    start,
    announced,
    retry: settings.retry,
    slowConsumer: policy,
    ...(sendSnapshot && { snapshot: (stream) => void sendSnapshot(handleOf(stream), stream) }),
    onOpen(stream, resumed) {
      if (resumed) counters.replays++
      if (onConnect) runHook('onConnect', () => onConnect(handleOf(stream)), report)
    },
    declare(stream, gap) {
      counters.gaps++
      // Later: it is called while others are being written to, and so is the next.
      if (onGap) queueMicrotask(() => runHook('onGap', () => onGap(handleOf(stream), gap), report))
      return gapBlock(gap)
    },
    onSlow: (stream) => onSlow && queueMicrotask(() => runHook('onSlow', () => onSlow(handleOf(stream)), report)),
    onGone(stream) {
      stream.request.release()
      if (onDisconnect) runHook('onDisconnect', () => onDisconnect(handleOf(stream)), report)
      shutdown.gone()
    },
  }

  const { open, ...opening } = createOpening(log, fanouts, rules, zlib)

  const admit = createAdmission<Context>(
    {
      methods: ['GET'],
      cors,
      slots,
      connect: options.connect,
      keyOf: limits?.perKey?.key,
      topics,
      maxTopics: settings.maxTopics,
      headerBytes: settings.headerBytes,
      ...opening,
      closing: () => shutdown.phase !== 'open',
      refused: (status) => countRefusal(counters, status),
      report,
    },
    open,
  )

  return {
    emit: (event, data, emitOptions) =>
      outcome(() => {
        if (shutdown.phase === 'closed')
          throw new EventwireError('emitter-closed', `emit(${JSON.stringify(event)}): this emitter was closed.`, { event })
        return publish(event, data, topicOf(emitOptions))
      }),
    ...createHandlers(admit, settings.highWaterMark, report, detach),
    stats: () => statsOf(fanouts, counters),
    close: (closing) => shutdown.start(closing),
  }
}
