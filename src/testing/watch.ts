import { isThenable, proceed, type Awaitable } from '../awaitable.ts'
import type { AttemptContext, Source, SubscriberOptions } from '../client/options.ts'
import type { EventHandler, Subscriber } from '../client/subscriber.ts'
import type { Contract, EventName, EventOf } from '../contract.ts'
import type { Emitter } from '../server/emitter.ts'
import type { Source as Events } from '../server/pump.ts'
import type { SnapshotHook } from '../server/snapshot.ts'
import { stir } from './calm.ts'

/** What a subscriber is made of. */
type UrlAndOptions = SubscriberOptions & { readonly url: Source<string | URL> }

/** Gives a value, which is under way if it comes later. */
type Asked = <T>(value: T | PromiseLike<T>) => Awaitable<T>

/** What has begun and is not finished. */
export class UnderWay {
  readonly #all = new Set<{ readonly sentence: string }>()

  /** Says of each thing what is not finished. */
  get sentences(): string[] {
    return Array.from(this.#all, ({ sentence }) => `${sentence} If it waits for time, advance the clock first.`)
  }

  /** Something has begun. Call what this gives when it is finished; to call it again does nothing. */
  begin(sentence: string): () => void {
    const it = { sentence }
    this.#all.add(it)
    return () => {
      // What follows from it has yet to move.
      if (this.#all.delete(it)) stir()
    }
  }

  /** Gives a value. One that comes later is under way until then, or until nobody waits for it any more. */
  until<T>(value: T | PromiseLike<T>, sentence: string, unwanted?: AbortSignal): Awaitable<T> {
    if (!isThenable(value)) return value
    const finish = this.begin(sentence)
    unwanted?.addEventListener('abort', finish)
    // In its place: there are thenables that do their work once for each `then`.
    return Promise.resolve(value).finally(() => {
      unwanted?.removeEventListener('abort', finish)
      finish()
    })
  }
}

/** A contract whose asynchronous schemas are under way. */
export function watchContract<C extends Contract>(contract: C, underWay: UnderWay): C {
  const sentence = (event: string): string => `The schema of event ${JSON.stringify(event)} has not finished.`
  return {
    ...contract,
    serialize: (event, input) => underWay.until(contract.serialize(event, input), sentence(event)),
    deserialize: (event, text) => underWay.until(contract.deserialize(event, text), sentence(event)),
  }
}

/** An emitter whose emits are under way. */
export function watchEmits<C extends Contract>(emitter: Emitter<C>, underWay: UnderWay): Emitter<C> {
  return {
    ...emitter,
    emit(event, data, options) {
      const emitted = emitter.emit(event, data, options)
      const finish = underWay.begin(`An emit of event "${event}" has not finished.`)
      // Not by its own `then`: that says that somebody awaits it, who hears when it fails.
      void Promise.prototype.then.call(emitted, finish, finish)
      return emitted
    },
  }
}

/** A hook that is under way while it is asked for an event, and not while the client has no room for one. */
export function watchSnapshot<C extends Contract, Context>(hook: SnapshotHook<C, Context>, underWay: UnderWay): SnapshotHook<C, Context> {
  return (connection) => {
    const asked: Asked = (value) => underWay.until(value, 'A snapshot has not finished.', connection.signal)
    return proceed(asked(hook(connection)), (events) => watchEvents(events, asked))
  }
}

function watchEvents<T>(events: Events<T>, asked: Asked): Events<T> {
  // What is no source of events is refused by the emitter itself.
  if (typeof events !== 'object' || events === null || !(Symbol.asyncIterator in events)) return events
  return {
    [Symbol.asyncIterator]() {
      const iterator = events[Symbol.asyncIterator]()
      return {
        next: async () => asked(iterator.next()),
        return: async () => (await iterator.return?.()) ?? { done: true, value: undefined },
      }
    },
  }
}

/** Options, and an url, that are under way while they are asked for something. */
export function watchOptions(options: UrlAndOptions, underWay: UnderWay): UrlAndOptions {
  const { url, headers, body, cursor, onUnauthorized, shouldRetry } = options
  const asked = <T>(name: string, value: T | PromiseLike<T>): Awaitable<T> =>
    underWay.until(value, `The option ${name} of a subscriber has not finished.`)
  const source = <T>(name: string, given: Source<T>): Source<T> =>
    typeof given === 'function' ? (context) => asked(name, (given as (context: AttemptContext) => T | Promise<T>)(context)) : given
  return {
    ...options,
    url: source('url', url),
    headers: source('headers', headers),
    body: body && source('body', body),
    cursor: cursor && { load: () => asked('cursor', cursor.load()), save: (id) => asked('cursor', cursor.save(id)) },
    onUnauthorized: onUnauthorized && ((error) => asked('onUnauthorized', onUnauthorized(error))),
    shouldRetry: shouldRetry && ((error, context) => asked('shouldRetry', shouldRetry(error, context))),
  }
}

/** Has the handlers and loops of a subscriber be under way. */
export function watchHandlers<C extends Contract>(stream: Subscriber<C>, underWay: UnderWay): void {
  const plain = { ...stream }

  const watched = <N extends EventName<C>>(handler: EventHandler<C, N>): EventHandler<C, N> => {
    // Refused by the subscriber itself.
    if (typeof handler !== 'function') return handler
    return (data, event) => underWay.until(handler(data, event), `A handler has not finished with ${nameOf(event)}.`)
  }
  const watchLoop = <N extends EventName<C>>(loop: AsyncIterableIterator<EventOf<C, N>, undefined>): typeof loop => {
    let asking = 0
    let finish = (): void => {}
    return {
      async next() {
        finish()
        asking++
        let result
        try {
          result = await loop.next()
        } finally {
          asking--
        }
        // Whoever asks for the next one already is done with this one.
        if (!result.done && asking === 0) finish = underWay.begin(`A loop has not asked for what follows ${nameOf(result.value)}.`)
        return result
      },
      async return() {
        finish()
        return (await loop.return?.()) ?? { done: true, value: undefined }
      },
      [Symbol.asyncIterator]() {
        return this
      },
    }
  }

  const events: typeof plain.events = (event) => watchLoop(plain.events(event))
  const watchedOnes: Pick<Subscriber<C>, 'on' | 'once' | 'events' | typeof Symbol.asyncIterator> = {
    on: (event, handler) => plain.on(event, watched(handler)),
    once: (event, handler) => plain.once(event, watched(handler)),
    events,
    [Symbol.asyncIterator]: () => events(),
  }
  Object.assign(stream, watchedOnes)
}

function nameOf({ event, id }: EventOf<Contract>): string {
  return `event ${JSON.stringify(event)} (id ${id})`
}
