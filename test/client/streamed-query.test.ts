import {
  experimental_streamedQuery as streamedQuery,
  QueryClient,
  QueryObserver,
  type QueryKey,
  type QueryObserverResult,
} from '@tanstack/query-core'
import type { Socket } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { EventOf } from 'eventwire'
import { createSubscriber, type SubscriberOptions } from 'eventwire/client'
import { serveEmitter, type ServedEmitter } from '../support/emitter.ts'
import { market, price, type Market } from '../support/market.ts'
import { response, serveTcp, STREAM_HEAD } from '../support/serve.ts'
import { collector } from '../support/subscribe.ts'
import { recipe } from './foreign/support.ts'

type Price = EventOf<Market, 'price'>
type Result<T> = QueryObserverResult<T>

interface Watched<T> {
  readonly observer: Pick<QueryObserver<T>, 'getCurrentResult' | 'refetch'>
  /** Waits until the query's result is so. */
  until(test: (result: Result<T>) => boolean): Promise<Result<T>>
  leave(): void
}

/** A client without retries of its own: the subscriber has its own. */
function newClient(): QueryClient {
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } })
  onTestFinished(() => client.clear())
  return client
}

/** A query of the prices of a stream, watched as a mounted component does. */
function watchPrices(
  client: QueryClient,
  url: string,
  { refetchMode = 'reset', ...options }: SubscriberOptions & { refetchMode?: 'append' | 'reset' | 'replace' } = {},
): Watched<Price[]> {
  return watch(
    new QueryObserver(client, {
      queryKey: ['prices'],
      queryFn: streamedQuery({
        streamFn: ({ signal }) => createSubscriber(market, url, { ...options, signal }).events('price'),
        refetchMode,
      }),
    }),
  )
}

function watch<T, K extends QueryKey>(observer: QueryObserver<T, Error, T, T, K>): Watched<T> {
  const looks = new Set<() => void>()
  const leave = observer.subscribe(() => looks.forEach((look) => look()))
  onTestFinished(leave)
  return {
    observer,
    leave,
    until: (wanted) =>
      new Promise((resolve) => {
        const look = (): void => {
          const result = observer.getCurrentResult()
          if (!wanted(result)) return
          looks.delete(look)
          resolve(result)
        }
        looks.add(look)
        look()
      }),
  }
}

const block = (it: number): string => `event: price\ndata: ${JSON.stringify(price(it))}\n\n`
const END = 'event: $end\ndata: {"reason":"done"}\n\n'

/** Emits prices, told apart by their numbers. */
async function emit({ emitter }: ServedEmitter, ...usd: number[]): Promise<void> {
  for (const it of usd) await emitter.emit('price', price(it))
}

/** Those numbers, as the query has them. */
const usd = ({ data = [] }: Result<Price[]>): number[] => data.map((event) => event.data.usd)

test('events arrive in the data of the query, which stays pending until the first and fetching until the last', async () => {
  const served = await serveEmitter()
  const { observer, until } = watchPrices(newClient(), served.url)
  expect(observer.getCurrentResult()).toMatchObject({ status: 'pending', fetchStatus: 'fetching' })
  await served.connected(1)
  await emit(served, 1)
  expect(await until(({ data }) => data?.length === 1)).toMatchObject({ status: 'success', fetchStatus: 'fetching' })
  await served.emitter.emit('message', 'of no concern')
  await emit(served, 2, 3)
  const result = await until(({ data }) => data?.length === 3)
  expect(usd(result)).toEqual([1, 2, 3])
  expect(result.data![0]).toEqual({ event: 'price', data: price(1), id: expect.stringMatching(/-1$/) })
})

test('when the last component leaves, the connection ends on the server', async () => {
  const served = await serveEmitter()
  const client = newClient()
  const first = watchPrices(client, served.url)
  const second = watchPrices(client, served.url)
  await served.connected(1)
  await emit(served, 1)
  await Promise.all([first, second].map(({ until }) => until(({ data }) => data?.length === 1)))
  first.leave()
  await emit(served, 2)
  expect(usd(await second.until(({ data }) => data?.length === 2))).toEqual([1, 2])
  expect(served.connections.size).toBe(1)
  second.leave()
  await served.connected(0)
  expect(client.getQueryState(['prices'])).toMatchObject({ fetchStatus: 'idle', error: null })
})

test('a query that is cancelled ends the connection on the server, and is no error', async () => {
  const served = await serveEmitter()
  const client = newClient()
  const { until, observer } = watchPrices(client, served.url)
  await served.connected(1)
  await emit(served, 1)
  await until(({ data }) => data?.length === 1)
  await client.cancelQueries({ queryKey: ['prices'] })
  await served.connected(0)
  expect(observer.getCurrentResult()).toMatchObject({ fetchStatus: 'idle', error: null })
})

test('a query that is cancelled before the stream has opened leaves nothing behind', async () => {
  const served = await serveEmitter()
  const client = newClient()
  const { leave } = watchPrices(client, served.url)
  leave()
  await served.connected(0)
  expect(client.getQueryState(['prices'])).toMatchObject({ status: 'pending', fetchStatus: 'idle', error: null })
})

test('a fault that closes the stream is the error of the query, which keeps what had come', async () => {
  // Nobody listens with onError: the subscriber says it there, too.
  const said = vi.spyOn(console, 'error').mockImplementation(() => {})
  onTestFinished(() => said.mockRestore())
  const { url, attempts } = await serveTcp((socket, attempt) =>
    socket.end(attempt === 1 ? STREAM_HEAD + block(1) : response('404 Not Found', 'gone')),
  )
  const { until } = watchPrices(newClient(), url, { backoff: { base: 1, max: 1 } })
  const result = await until(({ status }) => status === 'error')
  expect(result.error).toMatchObject({ name: 'EventwireError', code: 'bad-status', status: 404, body: 'gone' })
  expect(usd(result)).toEqual([1])
  expect(result.fetchStatus).toBe('idle')
  expect(attempts).toHaveLength(2)
})

test('a stream that is cut goes on within the query, without an error and without an event lost', async () => {
  const served = await serveEmitter()
  const { until } = watchPrices(newClient(), served.url, { backoff: { base: 1, max: 1 } })
  await served.connected(1)
  await emit(served, 1)
  await until(({ data }) => data?.length === 1)
  served.cut()
  await served.connected(0)
  await emit(served, 2)
  await served.connected(1)
  await emit(served, 3)
  const result = await until(({ data }) => data?.length === 3)
  expect(usd(result)).toEqual([1, 2, 3])
  expect(result.error).toBeNull()
})

test('a stream that has come to its end is a query that was fetched', async () => {
  const { url } = await serveTcp((socket) => socket.end(STREAM_HEAD + block(1) + END))
  const { until } = watchPrices(newClient(), url)
  const result = await until(({ fetchStatus }) => fetchStatus === 'idle')
  expect([result.status, usd(result)]).toEqual(['success', [1]])
})

test.each([
  ['reset', [], [2, 3]],
  ['append', [1], [1, 2, 3]],
  ['replace', [1], [2, 3]],
] as const)(
  'a query that is fetched again has a new stream, and the old one ends on the server: %s',
  async (refetchMode, before, after) => {
    const left = Promise.withResolvers<void>()
    const again = Promise.withResolvers<Socket>()
    const { url, attempts } = await serveTcp((socket, attempt) => {
      socket.write(STREAM_HEAD)
      if (attempt > 1) return again.resolve(socket)
      socket.write(block(1))
      return void socket.once('close', left.resolve)
    })
    const { until, observer } = watchPrices(newClient(), url, { refetchMode })
    await until(({ data }) => data?.length === 1)
    const refetched = observer.refetch()
    await left.promise
    const socket = await again.promise
    expect(usd(observer.getCurrentResult())).toEqual(before)
    socket.end(block(2) + block(3) + END)
    expect(usd(await refetched)).toEqual(after)
    expect(observer.getCurrentResult()).toMatchObject({ status: 'success', fetchStatus: 'idle' })
    expect(attempts).toHaveLength(2)
  },
)

test('a component that comes back sees what there was, and begins a new stream', async () => {
  const served = await serveEmitter()
  const client = newClient()
  const first = watchPrices(client, served.url)
  await served.connected(1)
  await emit(served, 1)
  await first.until(({ data }) => data?.length === 1)
  first.leave()
  await served.connected(0)
  const second = watchPrices(client, served.url, { refetchMode: 'append' })
  expect(usd(second.observer.getCurrentResult())).toEqual([1])
  await served.connected(1)
  await emit(served, 2)
  expect(usd(await second.until(({ data }) => data?.length === 2))).toEqual([1, 2])
})

test('what counts as fresh is not asked for again: a stream that has come to its end, for one', async () => {
  const { url, attempts } = await serveTcp((socket) => socket.end(STREAM_HEAD + block(1) + END))
  const client = newClient()
  client.setQueryDefaults(['prices'], { staleTime: Infinity })
  const first = watchPrices(client, url)
  await first.until(({ fetchStatus }) => fetchStatus === 'idle')
  first.leave()
  const { observer } = watchPrices(client, url)
  expect(observer.getCurrentResult()).toMatchObject({ status: 'success', fetchStatus: 'idle' })
  expect(usd(observer.getCurrentResult())).toEqual([1])
  expect(attempts).toHaveLength(1)
})

test('a reducer makes of the events what a page shows', async () => {
  const served = await serveEmitter()
  const observer = new QueryObserver(newClient(), {
    queryKey: ['latest'],
    queryFn: streamedQuery({
      streamFn: ({ signal }) => createSubscriber(market, served.url, { signal }).events('price'),
      initialValue: new Map<string, number>(),
      reducer: (before: Map<string, number>, { data }: Price) => new Map(before).set(data.symbol, data.usd),
    }),
  })
  const { until } = watch(observer)
  await served.connected(1)
  await served.emitter.emit('price', price(1, 'BTC'))
  await served.emitter.emit('price', price(2, 'ETH'))
  await served.emitter.emit('price', price(3, 'BTC'))
  const { data } = await until((result) => result.data?.get('BTC') === 3)
  expect([...data!]).toEqual([
    ['BTC', 3],
    ['ETH', 2],
  ])
})

test('the code of docs/frontends/tanstack-query.md shows what comes, and closes the stream when it leaves', async () => {
  const served = await serveEmitter()
  const shown = collector<unknown>()
  const log = vi.spyOn(console, 'log').mockImplementation(shown.take)
  onTestFinished(() => log.mockRestore())
  const { leave } = await recipe<{ leave(): void }>('prices.ts', { '/events': served.url }, 'docs/frontends/tanstack-query.md')
  await served.connected(1)
  await emit(served, 64_000)
  while (shown.items.at(-1) !== 64_000) await shown.reach(shown.items.length + 1)
  leave()
  await served.connected(0)
})
