import { EventwireError } from '../errors.ts'
import { newEpoch } from '../server/cursor.ts'
import type { Log, LogListener, LogPage, LogRange, LogRecord } from '../server/log.ts'
import { RingLog } from '../server/ring-log.ts'
import type { ShardedLog } from '../server/sharding.ts'
import type { Topics } from '../server/topics.ts'
import { encodeEntry } from '../wire/encode.ts'
import { Appender } from './appender.ts'
import { unavailable } from './fault.ts'
import { keysOf, type Keys } from './keys.ts'
import { Link } from './link.ts'
import { settle, type RedisLogOptions, type RedisSettings, type ShardedRedisLogOptions } from './options.ts'
import { Pages } from './pages.ts'
import { append, epochAfter, newerOf, stand, type Known, type Standing, type Terms } from './script.ts'
import { shardedRedisLog } from './shards.ts'
import { Tail } from './tail.ts'

/** A log that many nodes share: each hears what any of them appends. */
export interface RedisLog extends Log {
  append(record: LogRecord): Promise<string>
  fetch(after: number, topics: Topics): Promise<LogPage | undefined>
  sync(): Promise<void>
}

/**
 * Makes a log in a Redis Stream, for emitters on many nodes: `createEmitter(contract, { log: redisLog({ url, key }) })`. Any node resumes any client.
 * What was emitted is sent once it has come back from Redis. While Redis is away streams stay open and `emit` rejects with
 * `log-unavailable`; when it is back every connection catches up, or hears a `gap` of what Redis has lost.
 *
 * It connects when the emitter is made, and closes its connections when that is closed. Needs Redis 6.2 or later, or Valkey.
 *
 * With `shards` topics are spread over several such logs, which the emitter uses as one: each has a way to Redis, a history and a retention of its own.
 *
 * @throws EventwireError `invalid-option`, which names the option.
 */
export function redisLog(options: ShardedRedisLogOptions): ShardedLog
export function redisLog(options: RedisLogOptions): RedisLog
export function redisLog(options: RedisLogOptions & { shards?: number | undefined }): RedisLog | ShardedLog
export function redisLog(options: RedisLogOptions & { shards?: number | undefined }): RedisLog | ShardedLog {
  const settings = settle(options)
  const { key, shards } = settings
  return shards === undefined ? new SharedLog(settings) : shardedRedisLog(key, shards, (own) => new SharedLog({ ...settings, key: own }))
}

/** What runs for as long as somebody listens. */
interface Session {
  readonly tail: Tail
  readonly appender: Appender
  readonly pages: Pages
  readonly ask: () => Promise<Standing>
}

class SharedLog implements RedisLog {
  readonly #settings: RedisSettings
  readonly #keys: Keys
  readonly #ring: RingLog
  /** Tells the epochs that this node begins from those of others. */
  readonly #suffix = newEpoch().slice(0, 6)
  #session: Session | undefined

  constructor(settings: RedisSettings) {
    this.#settings = settings
    this.#keys = keysOf(settings.key)
    this.#ring = new RingLog(settings.history, '')
  }

  get epoch(): string {
    return this.#session?.tail.ready ? this.#ring.epoch : ''
  }

  get head(): number {
    return this.#ring.head
  }

  get oldest(): number {
    return Math.min(this.#session?.tail.oldest ?? Infinity, this.#ring.held)
  }

  get held(): number {
    return this.#ring.held
  }

  get bytes(): number {
    return this.#ring.bytes
  }

  append(record: LogRecord): Promise<string> {
    const { event, data, topic = '', key = '' } = record
    // Before it is sent: what cannot be encoded must not take a number.
    encodeEntry('', event, data)
    if (!topic.isWellFormed() || !key.isWellFormed())
      throw new EventwireError('invalid-message', 'A topic or a key holds half a surrogate pair, which UTF-8 cannot carry.', { event })
    if (!this.#session) throw unavailable(`emit(${JSON.stringify(event)})`, new Error('no emitter has this log'))
    return this.#session.appender.append(record)
  }

  count(after: number, topics: Topics): number {
    return topics === '*' ? this.head - Math.max(after, this.oldest - 1) : this.#ring.count(after, topics)
  }

  read(range: LogRange, topics: Topics): LogPage | undefined {
    return this.#ring.read(range, topics)
  }

  async fetch(after: number, topics: Topics): Promise<LogPage | undefined> {
    return this.#session?.pages.fetch(after, topics)
  }

  pick(seqs: readonly number[], bytes: number): LogPage {
    return this.#ring.pick(seqs, bytes)
  }

  async sync(): Promise<void> {
    const { deadline } = this.#settings
    try {
      if (!this.#session) throw new Error('no emitter has this log')
      const { ask, tail } = this.#session
      while (!(await tail.until(await ask(), deadline)));
    } catch (cause) {
      throw unavailable(`The log ${this.#keys.log} cannot be read`, cause)
    }
  }

  listen(listener: LogListener): () => void {
    const release = this.#ring.listen(listener)
    const stop = this.#start(listener)
    return () => {
      release()
      stop()
    }
  }

  #start(listener: LogListener): () => void {
    const { makeClient, deadline } = this.#settings
    const keys = this.#keys
    // One waits for news, so it cannot do anything else; and what clients have missed must not keep waiting what is emitted.
    const [blocking, link, reading] = [new Link(makeClient), new Link(makeClient), new Link(makeClient)]
    // What was appended here counts too, though it has yet to come back.
    const terms = (): Terms => this.#terms(newerOf(tail.known, appender.newest))
    const ask = together(() => stand(link, keys, terms(), deadline))
    const tail = new Tail({
      ring: this.#ring,
      link: blocking,
      keys,
      ask,
      onFault: (cause) => listener.onFault(unavailable(`The log ${keys.log} cannot be followed, so streams stay open and wait`, cause)),
    })
    const appender = new Appender(
      deadline,
      (batch, timeout) => append(link, keys, batch, terms(), timeout),
      () => link.trouble,
      () => link.sent,
    )
    const session = { tail, appender, pages: new Pages(this.#ring, tail, reading, keys, deadline), ask }
    this.#session = session
    void tail.run()
    return () => {
      tail.close()
      session.pages.close()
      void appender.drained().then(() => link.close())
      if (this.#session === session) this.#session = undefined
    }
  }

  #terms(known: Known): Terms {
    const { events, age, deadline } = this.#settings
    return { nextEpoch: epochAfter(known.epoch, this.#suffix), known, events, age, deadline }
  }
}

/** Runs once for all who call while it runs: not the same run, for what that says may be older than they are, but the next. */
function together<T>(run: () => Promise<T>): () => Promise<T> {
  let current: Promise<T> | undefined
  let next: Promise<T> | undefined
  const begin = (): Promise<T> => {
    next = undefined
    const running = run().finally(() => {
      if (current === running) current = undefined
    })
    return (current = running)
  }
  return () => (current ? (next ??= current.then(begin, begin)) : begin())
}
