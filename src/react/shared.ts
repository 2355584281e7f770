import type { SubscriberOptions } from '../client/options.ts'
import { lend, streamFrom, type EventStream, type Lender } from '../client/store.ts'
import type { Subscriber } from '../client/subscriber.ts'
import type { Contract } from '../contract.ts'

/** Options of `useSubscriber`: those of `createSubscriber`, without `signal`, which would end the stream for everybody. */
export interface SharedOptions extends Omit<SubscriberOptions, 'signal'> {
  /** Who asks for the same url under another key gets another stream. Default: `''`. */
  key?: string | undefined
}

/** What a stream is shared by. */
export interface Terms<C extends Contract> {
  /** The contract, or what stands for one. */
  readonly owner: object
  /** Without it the stream is silent. */
  readonly url: string | undefined
  readonly key: string
  readonly create: (url: string, options: SubscriberOptions) => Subscriber<C>
}

/** A shared stream as one component sees it. */
export interface Shared<C extends Contract> {
  readonly stream: EventStream<C>
  /** Takes the options of the latest render. */
  adopt(options: SharedOptions | undefined): void
  /** Keeps the subscriber for as long as the function that it returns has not been called. */
  hold(): () => void
}

/** A subscriber in use, and the options of whoever was rendered last. */
interface Slot<C extends Contract> {
  readonly lender: Lender<C>
  options: SharedOptions
}

/** The subscribers in use, by owner, and by url and key. */
const slots = new WeakMap<object, Map<string, unknown>>()

/** What is asked for anew at each attempt to connect, though it be no function. */
const ASKED = new Set(['headers', 'body'])

/**
 * A stream that all share who ask on the same terms. It is no more than a way to the subscriber, which is looked up, or
 * made, when somebody uses it: a render that comes to nothing leaves nothing behind.
 */
export function share<C extends Contract>({ owner, url, key, create }: Terms<C>): Shared<C> {
  const name = JSON.stringify([url, key])
  let given: SharedOptions | undefined

  // What is kept under an owner is of that contract.
  const find = (): Slot<C> | undefined => slots.get(owner)?.get(name) as Slot<C> | undefined
  const open = (at: string): Slot<C> => {
    const ofOwner = slots.get(owner) ?? new Map<string, unknown>()
    slots.set(owner, ofOwner)
    const slot: Slot<C> = {
      options: given ?? {},
      lender: lend(
        () => create(at, live(slot)),
        () => ofOwner.delete(name),
      ),
    }
    ofOwner.set(name, slot)
    return slot
  }

  const lender: Lender<C> = {
    use: (attach) => (url === undefined ? () => {} : (find() ?? open(url)).lender.use(attach)),
    current: () => find()?.lender.current(),
  }
  return {
    stream: streamFrom(lender),
    adopt(options) {
      given = options
      const slot = find()
      // Who gives none leaves alone what others gave.
      if (slot && options) slot.options = options
    },
    hold: () => lender.use(() => () => {}),
  }
}

/**
 * The options as a subscriber gets them. It outlives many renders, and what they close over grows old: functions, and what
 * is asked for anew at each attempt, are looked up among the latest when they are called for.
 */
function live<C extends Contract>(slot: Slot<C>): SubscriberOptions {
  const { key: _key, ...given } = slot.options
  const latest = (option: string, first: unknown, args: unknown[]): unknown => {
    const now = (slot.options as Record<string, unknown>)[option] ?? first
    return typeof now === 'function' ? (now as (...args: unknown[]) => unknown)(...args) : now
  }
  const entries = Object.entries(given).map(([option, value]: [string, unknown]) =>
    value === undefined || (typeof value !== 'function' && !ASKED.has(option))
      ? [option, value]
      : [option, (...args: unknown[]): unknown => latest(option, value, args)],
  )
  // Each option is still of its kind: a function for a function, and one that gives the value for the value.
  return Object.fromEntries(entries) as SubscriberOptions
}
