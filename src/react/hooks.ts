import { useEffect, useInsertionEffect, useMemo, useRef, useSyncExternalStore } from 'react'
import { latestOf, NOT_BEGUN, statusOf, type EventStream } from '../client/store.ts'
import type { Status } from '../client/status.ts'
import { createSubscriber, type EventHandler } from '../client/subscriber.ts'
import type { Unvalidated } from '../client/unvalidated.ts'
import { isContract, type Contract, type EventData, type EventName } from '../contract.ts'
import { EventwireError } from '../errors.ts'
import { share, type SharedOptions } from './shared.ts'

/** The address of a stream; without one there is no stream, and nothing comes. */
export type StreamUrl = string | null | undefined

/** Stands for the contract where only its type is known. */
const UNVALIDATED = {}

/**
 * A stream that components share: all that ask with the same contract, url and `key` are on one connection. It is made when
 * the first of them is mounted, connects when the first handler arrives (`useEvent`, `useLatest`, `stream.on`), and is
 * closed a second after the last of them was unmounted. Nothing happens on the server, and nothing while rendering.
 *
 * Which options there are counts when the stream is made; another `key` makes another. Functions among them, `headers` and
 * `body` are those of the latest render.
 *
 * Give the contract, or only its type: `useSubscriber<typeof events>(url)`, as with `createSubscriber`.
 *
 * @throws EventwireError `invalid-option`: while rendering for the url, in an effect for the options.
 */
export function useSubscriber<C extends Contract>(contract: C, url: StreamUrl, options?: SharedOptions): EventStream<C>
export function useSubscriber<C extends Contract>(url: StreamUrl, options?: SharedOptions): EventStream<Unvalidated<C>>
export function useSubscriber<C extends Contract>(
  first: C | StreamUrl,
  second?: StreamUrl | SharedOptions,
  third?: SharedOptions,
): EventStream<C> | EventStream<Unvalidated<C>> {
  const contract = isContract(first) ? first : undefined
  const url = addressOf(contract ? second : first)
  const options = optionsOf(contract ? third : second)
  const key = options?.key ?? ''
  const shared = useMemo(
    () =>
      contract
        ? share({ owner: contract, url, key, create: (at, settings) => createSubscriber(contract, at, settings) })
        : share({ owner: UNVALIDATED, url, key, create: (at, settings) => createSubscriber<C>(at, settings) }),
    [contract, url, key],
  )
  // Before any other effect: those of the children come before those of their parents, and may open the stream.
  useInsertionEffect(() => shared.adopt(options))
  useEffect(() => shared.hold(), [shared])
  return shared.stream
}

/**
 * Calls `handler` for each event of this name, as long as the component is mounted. It is the handler of the latest render:
 * it need not be memoised. When it returns a promise, its next event waits until that has settled.
 *
 * @param stream What `useSubscriber`, `onDemand` or `createSubscriber` gives.
 */
export function useEvent<C extends Contract, N extends EventName<C>>(stream: EventStream<C>, event: N, handler: EventHandler<C, N>): void {
  const latest = useRef(handler)
  useInsertionEffect(() => {
    latest.current = handler
  })
  useEffect(() => stream.on(event, (data, whole) => latest.current(data, whole)), [stream, event])
}

/**
 * The data of the latest event of this name; `initial`, or `undefined`, as long as none has come, and on the server. Renders
 * again when another has come: once for all that arrive together.
 *
 * @param stream What `useSubscriber`, `onDemand` or `createSubscriber` gives.
 */
export function useLatest<C extends Contract, N extends EventName<C>>(
  stream: EventStream<C>,
  event: N,
  initial: EventData<C, N>,
): EventData<C, N>
export function useLatest<C extends Contract, N extends EventName<C>>(
  stream: EventStream<C>,
  event: N,
  initial?: EventData<C, N>,
): EventData<C, N> | undefined
export function useLatest<C extends Contract, N extends EventName<C>>(
  stream: EventStream<C>,
  event: N,
  initial?: EventData<C, N>,
): EventData<C, N> | undefined {
  const { subscribe, getSnapshot } = useMemo(() => latestOf(stream, event), [stream, event])
  const latest = useSyncExternalStore(subscribe, getSnapshot, nothing)
  return latest === undefined ? initial : latest
}

/**
 * Where the stream stands. On the server, and before anybody listens, it is `connecting`. Looking at the status alone does
 * not connect.
 *
 * @param stream What `useSubscriber`, `onDemand` or `createSubscriber` gives.
 */
export function useStatus<C extends Contract>(stream: EventStream<C>): Status {
  const { subscribe, getSnapshot } = useMemo(() => statusOf(stream), [stream])
  return useSyncExternalStore(subscribe, getSnapshot, notBegun)
}

function nothing(): undefined {
  return undefined
}

function notBegun(): Status {
  return NOT_BEGUN
}

function addressOf(given: unknown): string | undefined {
  if (given === null || given === undefined) return undefined
  if (typeof given === 'string') return given
  throw wrongArguments(`the url is ${typeof given}`)
}

function optionsOf(given: StreamUrl | SharedOptions): SharedOptions | undefined {
  // A string here is the url, behind a contract that is none: one that is undefined, say.
  if (given === null || typeof given === 'string') throw wrongArguments('its first argument is no contract')
  return given
}

function wrongArguments(fault: string): EventwireError {
  return new EventwireError('invalid-option', `useSubscriber: ${fault}; give (contract, url, options), or (url, options) for types alone.`)
}
