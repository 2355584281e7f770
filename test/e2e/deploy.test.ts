import { expect, onTestFinished, test } from 'vitest'
import { defineEvents, text } from 'eventwire'
import { createSubscriber, type Gap } from 'eventwire/client'
import { startServer, type Child } from './support/child.ts'
import type { Told } from './support/server.ts'
import { openStream } from './support/stream.ts'
import { collector } from '../support/subscribe.ts'

const events = defineEvents({ message: text() })
const SUBSCRIBERS = 1_000
/** Clients of no library, that wait as long as they were asked to and come back. */
const PLAIN = 50
const GRACE = 5_000
const RETRY = 300
const BUCKET = 500

test(`${SUBSCRIBERS} subscribers move to another server over ${GRACE} ms, and lose nothing of what the first one said until then`, async () => {
  const [first, second] = await Promise.all([startServer({ path: 'node', retry: RETRY }), startServer({ path: 'node', retry: RETRY })])
  const urls = [await address(first), await address(second)] as const
  let current = urls[0]
  const clients = Array.from({ length: SUBSCRIBERS }, (_, i) => subscribe(`subscriber ${i}`, urls, () => current))
  const retries: number[] = []
  const plain = Array.from({ length: PLAIN }, (_, i) => follow(`plain ${i}`, () => current, retries))
  const everyone = [...clients, ...plain.map(({ name }) => ({ name }))]
  await all(first, 'connected', everyone)
  await first.call('publish', 200)
  await Promise.all(clients.map(({ heard: [here] }) => here.reach(1)))

  current = urls[1]
  const closing = first.call('now').then(async (at) => ({ at, left: await first.call('close', { grace: GRACE }) }))
  const refused = await refusal(urls[0])
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
  const { at, left } = await closing
  // A second call came right behind the first, without a grace period, and was told of the same end.
  expect(left).toEqual([0, 0])
  const closed = await first.call('now')
  const arrivals = (await all(second, 'connected', everyone)).map((told) => (told.at - at) / 1_000)
  await second.call('publish', 50)
  await Promise.all(clients.map(({ heard: [, there] }) => there.reach(1)))

  const ends = new Map((await all(first, 'ended', everyone)).map(({ name, head }) => [name, head]))
  for (const {
    name,
    heard: [here, there],
    gaps,
  } of clients) {
    expect(here.items).toEqual(Array.from({ length: ends.get(name)! }, (_, i) => i + 1))
    expect(there.items[0]).toBe(1)
    expect(gaps.map(({ reason }) => reason)).toEqual(['epoch'])
  }
  const histogram = bucketed(arrivals)
  console.log(`closed after ${Math.round((closed - at) / 1_000)} ms; arrivals at the second server in ${BUCKET} ms: ${histogram.join(' ')}`)
  const mean = everyone.length / histogram.length
  expect(Math.max(...histogram)).toBeLessThan(3 * mean)
  // Over the grace period: no half of it sees nearly all of them.
  expect(arrivals.filter((ms) => ms < GRACE / 2).length).toBeGreaterThan(everyone.length / 5)
  expect(arrivals.filter((ms) => ms > GRACE / 2).length).toBeGreaterThan(everyone.length / 5)
  spread(retries)
  await Promise.all([first.stop(), second.stop()])
}, 60_000)

test('without a grace period they all move at once, but for the reconnection times that they are given', async () => {
  const [first, second] = await Promise.all([startServer({ path: 'node', retry: RETRY }), startServer({ path: 'node', retry: RETRY })])
  const urls = [await address(first), await address(second)] as const
  let current = urls[0]
  const retries: number[] = []
  const plain = Array.from({ length: 200 }, (_, i) => follow(`plain ${i}`, () => current, retries))
  await all(first, 'connected', plain)
  current = urls[1]
  const at = await first.call('now')
  expect(await first.call('close', {})).toEqual([0, 0])
  const ended = (await all(first, 'ended', plain)).map((told) => (told.at - at) / 1_000)
  const arrivals = (await all(second, 'connected', plain)).map((told) => (told.at - at) / 1_000)
  console.log(`ends in ${BUCKET} ms: ${bucketed(ended).join(' ')}; arrivals: ${bucketed(arrivals).join(' ')}`)
  spread(retries)
  await Promise.all([first.stop(), second.stop()])
}, 60_000)

/** Each was asked for a time of its own, of up to twice the usual. */
function spread(retries: readonly number[]): void {
  for (const retry of retries) {
    expect(retry).toBeGreaterThanOrEqual(RETRY)
    expect(retry).toBeLessThanOrEqual(2 * RETRY)
  }
  expect(new Set(retries).size).toBeGreaterThan(retries.length / 4)
  for (const tenth of [0.1, 0.9]) {
    const below = retries.filter((retry) => retry < RETRY * (1 + tenth)).length / retries.length
    expect(Math.abs(below - tenth)).toBeLessThan(0.3)
  }
}

/** A subscriber that asks for the address anew at each attempt. */
function subscribe(name: string, urls: readonly [string, string], url: () => string) {
  const heard = [collector<number>(), collector<number>()] as const
  const gaps: Gap[] = []
  let at = urls[0]
  const stream = createSubscriber(events, () => `${(at = url())}?name=${encodeURIComponent(name)}`)
  onTestFinished(() => stream.close())
  stream.onGap((gap) => gaps.push(gap))
  stream.on('message', (data) => heard[at === urls[0] ? 0 : 1].take(Number(data.split(' ')[1])))
  return { name, heard, gaps }
}

/** A client that follows a stream, and comes back when it ends after as long as it was asked to wait. */
function follow(name: string, url: () => string, retries: number[]): { readonly name: string } {
  const run = async (): Promise<void> => {
    const response = await openStream(`${url()}?name=${encodeURIComponent(name)}`)
    let tail = ''
    response.on('data', (chunk: Buffer) => {
      tail = (tail + chunk.toString()).slice(-200)
    })
    response.on('end', () => {
      const retry = Number(/^retry: (\d+)\n\n$/m.exec(tail)?.[1])
      retries.push(retry)
      setTimeout(() => void run(), retry)
    })
  }
  void run()
  return { name }
}

/** What a server has told of each client, once it has told it of all. */
function all(server: Child, tells: Told['tells'], clients: readonly { readonly name: string }[]): Promise<Told[]> {
  return Promise.all(clients.map(({ name }) => server.told((told) => told.tells === tells && told.name === name)))
}

async function address(server: Child): Promise<string> {
  return `http://127.0.0.1:${await server.call('listen')}/events`
}

/** The first response that is no stream. */
async function refusal(url: string): Promise<Response> {
  for (;;) {
    const controller = new AbortController()
    const response = await fetch(url, { signal: controller.signal })
    if (response.status !== 200) return response
    controller.abort()
  }
}

function bucketed(times: readonly number[]): number[] {
  const buckets = new Array<number>(Math.floor(Math.max(...times) / BUCKET) + 1).fill(0)
  for (const time of times) buckets[Math.floor(time / BUCKET)]!++
  return buckets
}
