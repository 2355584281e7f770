import { describe, expect, test } from 'vitest'
import { createEmitter, memoryLog } from 'eventwire/server'
import { caught } from '../support/caught.ts'
import { serveEmitter } from '../support/emitter.ts'
import { listen, type Listening } from '../support/listen.ts'
import { market, price } from '../support/market.ts'
import { sharded } from '../support/shards.ts'

// Where a client begins that brings no cursor.

const prices = ({ events }: Pick<Listening, 'events'>): number[] => events.map(({ data }) => JSON.parse(data).usd)

test(`with start: 'oldest' a new client hears first what the log holds for its topics, and no gap`, async () => {
  const { url, emitter } = await serveEmitter({ start: 'oldest' })
  for (let usd = 1; usd <= 6; usd++) await emitter.emit('price', price(usd), { topic: usd % 2 ? 'odd' : 'even' })
  const stream = await listen(`${url}?topic=odd`)
  void emitter.emit('price', price(7), { topic: 'odd' })
  await stream.until(({ events }) => events.length === 4)
  expect([stream.ready, prices(stream), stream.gaps]).toEqual([expect.objectContaining({ resumed: false, replayed: 3 }), [1, 3, 5, 7], []])
})

test('a client that is cut in mid-history goes on there', async () => {
  const { url, emitter } = await serveEmitter({ start: 'oldest' })
  for (let usd = 1; usd <= 4; usd++) await emitter.emit('price', price(usd))
  const stream = await listen(url)
  await stream.until(({ events }) => events.length === 4)
  stream.leave()
  const again = await listen(url, { 'last-event-id': stream.events[1]!.id })
  await again.until(({ events }) => events.length === 2)
  expect([prices(again), again.ready.resumed]).toEqual([[3, 4], true])
})

test('of what the log has dropped before a new client came, it is told nothing', async () => {
  const { url, emitter } = await serveEmitter({ start: 'oldest', history: { events: 2 } })
  for (let usd = 1; usd <= 5; usd++) await emitter.emit('price', price(usd))
  const stream = await listen(url)
  await stream.until(({ events }) => events.length === 2)
  expect([prices(stream), stream.gaps]).toEqual([[4, 5], []])
})

test('an empty log is no trouble', async () => {
  const { url, emitter, connected } = await serveEmitter({ start: 'oldest' })
  const stream = await listen(url)
  await connected(1)
  await emitter.emit('price', price(1))
  await stream.until(({ events }) => events.length === 1)
  expect([stream.ready.replayed, stream.gaps]).toEqual([0, []])
})

test('where the log has shards, a new client hears what each of them holds', async () => {
  const { url, emitter } = await serveEmitter({ start: 'oldest', log: sharded([memoryLog(), memoryLog(), memoryLog()]) })
  for (const [usd, topic] of [
    [1, 'A'],
    [2, 'B'],
    [3, 'C'],
    [4, 'B'],
  ] as const)
    await emitter.emit('price', price(usd), { topic })
  const stream = await listen(`${url}?topic=B&topic=C`)
  await stream.until(({ events }) => events.length === 3)
  expect([prices(stream).sort((a, b) => a - b), stream.gaps]).toEqual([[2, 3, 4], []])
})

test('where the log has shards, a client that comes back hears nothing twice, whatever it listened to in between', async () => {
  const { url, emitter } = await serveEmitter({ start: 'oldest', log: sharded([memoryLog(), memoryLog(), memoryLog()]) })
  for (const [usd, topic] of [
    [1, 'C'],
    [2, 'B'],
  ] as const)
    await emitter.emit('price', price(usd), { topic })
  const both = await listen(`${url}?topic=B&topic=C`)
  await both.until(({ events }) => events.length === 2)
  const one = await listen(`${url}?topic=C`, { 'last-event-id': both.cursor })
  await one.until(({ cursor }) => cursor !== '')
  const again = await listen(`${url}?topic=B&topic=C`, { 'last-event-id': one.cursor })
  await emitter.emit('price', price(3), { topic: 'B' })
  await again.until(({ events }) => events.length === 1)
  expect([prices(again), again.gaps]).toEqual([[3], []])
})

describe('is refused', () => {
  test('as anything but head or oldest', () => {
    // @ts-expect-error it takes 'head' or 'oldest'
    expect(caught(() => createEmitter(market, { start: 'begin' })).message).toContain(`start is "begin"`)
  })

  test('together with a snapshot, which is what a new client is sent instead', () => {
    expect(caught(() => createEmitter(market, { start: 'oldest', snapshot: () => [] })).code).toBe('invalid-option')
  })
})
