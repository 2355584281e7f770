import type { Contract, EventData, EventName } from '../contract.ts'
import { createListeners } from './listeners.ts'
import type { Status } from './status.ts'
import type { Subscriber } from './subscriber.ts'

/** A stream to listen to: what a subscriber offers to those who share it, without what would end it for the others. */
export interface EventStream<C extends Contract> extends Pick<
  Subscriber<C>,
  'on' | 'onStatus' | 'onGap' | 'onError' | 'status' | 'lastEventId'
> {}

/** A value that changes, in the form that frameworks take: React's `useSyncExternalStore`, a ref of Vue, Svelte's `createSubscriber`. */
export interface Store<T> {
  /** Calls `onChange` after each change. Gives a function that calls it off. */
  readonly subscribe: (onChange: () => void) => () => void
  /** The value now. It stays the same object until it changes. */
  readonly getSnapshot: () => T
}

/** Lends a subscriber to those who use it, and closes it when nobody does. */
export interface Lender<C extends Contract> {
  /** Lends the subscriber until the function is called that is returned, which first calls the one that `attach` gives. */
  readonly use: (attach: (subscriber: Subscriber<C>) => () => void) => () => void
  /** The subscriber that the next user would be lent; `undefined` when one would have to be made. */
  readonly current: () => Subscriber<C> | undefined
}

/** The status of a stream that nobody has asked for yet. */
export const NOT_BEGUN: Status = { state: 'connecting', attempt: 1 }

/** How long a subscriber that nobody uses stays open, in ms: who leaves may make room for somebody who needs it too. */
const LINGER = 1_000

/** Under this, a stream that is lent has its lender. Symbol.for: the ESM and the CJS copy of the package know each other's. */
const LENDER: unique symbol = Symbol.for('eventwire.lender')
/** The stores of the events of a subscriber, by name. */
const stores = new WeakMap<object, Map<string, unknown>>()
/** The subscribers on which what nobody listens to passes by. */
const flowing = new WeakSet<object>()

/**
 * A stream that is open only while somebody listens. The first handler or listener has the subscriber made; it connects
 * when the first handler or store of an event arrives, as any subscriber does, and is closed a second after the last one
 * was removed. Who comes later gets a new one.
 *
 * From the first handler to the end, events that nobody listens to pass by; they do not wait as those of a bare subscriber do.
 *
 * @param create Makes the subscriber: `() => createSubscriber(contract, url)`.
 */
export function onDemand<C extends Contract>(create: () => Subscriber<C>): EventStream<C> {
  return streamFrom(lend(create))
}

/**
 * The data of the latest event of this name; `undefined` as long as none has come. From the first `subscribe` on the store
 * is one of the stream's handlers: it opens the connection, and follows the stream to its end.
 *
 * Asked again for the same stream and event, it is the same value: it is read once, for however many.
 */
export function latestOf<C extends Contract, N extends EventName<C>>(stream: EventStream<C>, event: N): Store<EventData<C, N> | undefined> {
  if (!isLent(stream)) return follow(stream, event)
  const lender = stream[LENDER]
  return {
    subscribe: (onChange) => lender.use((subscriber) => follow(subscriber, event).subscribe(onChange)),
    getSnapshot() {
      const subscriber = lender.current()
      return subscriber && follow(subscriber, event).getSnapshot()
    },
  }
}

/** The status of a stream. Following it does not open the connection. */
export function statusOf<C extends Contract>(stream: EventStream<C>): Store<Status> {
  return { subscribe: (onChange) => stream.onStatus(() => onChange()), getSnapshot: () => stream.status }
}

/** A stream that is lent. */
interface Lent<C extends Contract> extends EventStream<C> {
  readonly [LENDER]: Lender<C>
}

/** Makes a stream of what a lender lends: each handler and listener is a user. */
export function streamFrom<C extends Contract>(lender: Lender<C>): Lent<C> {
  return {
    [LENDER]: lender,
    on: (event, handler) =>
      lender.use((subscriber) => {
        const off = subscriber.on(event, handler)
        if (!flowing.has(subscriber)) {
          flowing.add(subscriber)
          // A part of the page that listens to nothing for an hour must not have that hour wait for the next one.
          subscriber.on(event, () => {})
        }
        return off
      }),
    onStatus: (listener) => lender.use((subscriber) => subscriber.onStatus(listener)),
    onGap: (listener) => lender.use((subscriber) => subscriber.onGap(listener)),
    onError: (listener) => lender.use((subscriber) => subscriber.onError(listener)),
    get status() {
      return lender.current()?.status ?? NOT_BEGUN
    },
    get lastEventId() {
      return lender.current()?.lastEventId ?? ''
    },
  }
}

/** Makes a lender. `onIdle` is called when it has closed its subscriber for want of users. */
export function lend<C extends Contract>(create: () => Subscriber<C>, onIdle: () => void = () => {}): Lender<C> {
  let subscriber: Subscriber<C> | undefined
  let users = 0
  let timer: ReturnType<typeof setTimeout> | undefined

  // One that has come to its end, and whose users have all left, is of no use to the next.
  const current = (): Subscriber<C> | undefined => (users === 0 && subscriber?.status.state === 'closed' ? undefined : subscriber)
  const retire = (): void => {
    subscriber?.close()
    subscriber = undefined
    onIdle()
  }

  return {
    current,
    use(attach) {
      const lent = current()
      let off = (): void => {}
      let using = true
      const leave = (): void => {
        if (!using) return
        using = false
        off()
        users--
        if (users === 0) timer = setTimeout(retire, LINGER)
      }
      users++
      clearTimeout(timer)
      try {
        subscriber = lent ?? create()
        off = attach(subscriber)
      } catch (error) {
        leave()
        throw error
      }
      return leave
    },
  }
}

function follow<C extends Contract, N extends EventName<C>>(
  stream: Pick<EventStream<C>, 'on'>,
  event: N,
): Store<EventData<C, N> | undefined> {
  const ofStream = stores.get(stream) ?? new Map<string, unknown>()
  stores.set(stream, ofStream)
  // What is kept under a stream and a name is of that event.
  const store = (ofStream.get(event) as Store<EventData<C, N> | undefined> | undefined) ?? createLatest(stream, event)
  ofStream.set(event, store)
  return store
}

function createLatest<C extends Contract, N extends EventName<C>>(
  stream: Pick<EventStream<C>, 'on'>,
  event: N,
): Store<EventData<C, N> | undefined> {
  const listeners = createListeners<void>()
  let value: EventData<C, N> | undefined
  let following = false
  return {
    subscribe(onChange) {
      if (!following) {
        stream.on(event, (data) => {
          if (Object.is(data, value)) return
          value = data
          listeners.tell(undefined, console.error)
        })
        following = true
      }
      return listeners.add(onChange)
    },
    getSnapshot: () => value,
  }
}

function isLent<C extends Contract>(stream: EventStream<C>): stream is Lent<C> {
  return LENDER in stream
}
