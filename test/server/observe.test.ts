import { expect, test } from 'vitest'
import type { EventwireError } from 'eventwire'
import { memoryLog } from 'eventwire/server'
import { serveEmitter } from '../support/emitter.ts'
import { listen } from '../support/listen.ts'
import { price } from '../support/market.ts'
import { stall } from '../support/stall.ts'

test('stats says how the emitter stands', async () => {
  const { url, emitter } = await serveEmitter({ history: { events: 3 } })
  expect(emitter.stats()).toMatchObject({ connections: 0, lag: 0, buffered: 0, emits: 0, log: { events: 0, bytes: 0, evictions: 0 } })
  await listen(`${url}?topic=BTC&topic=ETH`)
  await listen(`${url}?topic=BTC`)
  await listen(`${url}?topic=*`)
  await listen(url)
  const ids: string[] = []
  for (const usd of [1, 2, 3, 4, 5]) ids.push(await emitter.emit('price', price(usd), { topic: 'BTC' }))
  const resumed = await listen(`${url}?topic=BTC`, { 'last-event-id': ids[3]! })
  await resumed.until(({ events }) => events.length === 1)
  const lost = await listen(url, { 'last-event-id': ids[0]! })
  await lost.until(({ gaps }) => gaps.length === 1)
  await fetch(url, { method: 'POST' })
  expect(emitter.stats()).toEqual({
    connections: 6,
    topics: { BTC: 3, ETH: 1 },
    everyTopic: 1,
    log: { events: 3, bytes: expect.any(Number) as number, head: ids[4], evictions: 2 },
    lag: 0,
    buffered: 0,
    emits: 5,
    gaps: 1,
    replays: 1,
    refusals: { 405: 1 },
  })
  expect(JSON.parse(JSON.stringify(emitter.stats()))).toMatchObject({ topics: { BTC: 3 } })
})

test('names that objects inherit are topics like any other', async () => {
  const { url, emitter } = await serveEmitter()
  const names = ['__proto__', 'constructor', 'toString', '*']
  const stream = await listen(
    `${url}?${names
      .slice(0, 3)
      .map((name) => `topic=${name}`)
      .join('&')}`,
  )
  for (const name of names) await emitter.emit('message', name, { topic: name })
  await emitter.emit('message', 'for all')
  await stream.until(({ events }) => events.at(-1)?.data === 'for all')
  expect(stream.events.map(({ data }) => data)).toEqual(['__proto__', 'constructor', 'toString', 'for all'])
  expect(Object.entries(emitter.stats().topics)).toEqual([
    ['__proto__', 1],
    ['constructor', 1],
    ['toString', 1],
  ])
})

test('a client that does not keep up shows: in stats, and to onSlow once', async () => {
  const slow: unknown[] = []
  const told = Promise.withResolvers<void>()
  const { port, emitter, connections, connected } = await serveEmitter({
    heartbeat: 20,
    onSlow(connection) {
      slow.push(connection)
      told.resolve()
    },
  })
  const socket = stall(port)
  await connected(1)
  const publishing = setInterval(() => void emitter.emit('message', 'x'.repeat(500_000)), 1)
  await told.promise
  clearInterval(publishing)
  await emitter.emit('message', 'one more')
  const { lag, buffered } = emitter.stats()
  expect(lag).toBeGreaterThan(0)
  expect(buffered).toBeGreaterThan(0)
  expect(slow).toEqual([...connections])
  // It reads on, and has caught up.
  const caughtUp = new Promise<void>((resolve) => {
    socket.on('data', () => {
      if (emitter.stats().lag === 0) resolve()
    })
  })
  socket.resume()
  await caughtUp
  expect(slow).toHaveLength(1)
})

test('onEmit hears of every event with its id and topic, and onGap of every gap', async () => {
  const emitted: unknown[] = []
  const gaps: unknown[] = []
  const log = memoryLog()
  const { url, emitter } = await serveEmitter({
    log,
    onEmit: (it) => void emitted.push(it),
    onGap: (connection, gap) => void gaps.push([connection.lastEventId, gap.reason]),
  })
  const ids = [await emitter.emit('price', price(1), { topic: 'BTC' }), await emitter.emit('message', 'hello')]
  await expect(emitter.emit('price', { symbol: 'BTC' } as never)).rejects.toThrow()
  expect(emitted).toEqual([
    { event: 'price', id: ids[0], topic: 'BTC' },
    { event: 'message', id: ids[1], topic: undefined },
  ])
  const stream = await listen(url, { 'last-event-id': 'nonsense' })
  await stream.until((it) => it.gaps.length === 1)
  log.clear()
  await stream.until((it) => it.gaps.length === 2)
  expect(gaps).toEqual([
    ['nonsense', 'malformed'],
    ['nonsense', 'epoch'],
  ])
})

test('a hook that throws is reported, and changes nothing', async () => {
  const errors: EventwireError[] = []
  const fail = (): never => {
    throw new Error('out of order')
  }
  const { url, emitter } = await serveEmitter({ onEmit: fail, onGap: fail, onError: (error) => void errors.push(error) })
  const stream = await listen(url, { 'last-event-id': 'nonsense' })
  await emitter.emit('message', 'hello')
  await stream.until(({ events, gaps }) => events.length === 1 && gaps.length === 1)
  expect(errors.map(({ code, message }) => [code, message])).toEqual([
    ['hook-failed', 'The hook onGap failed: out of order'],
    ['hook-failed', 'The hook onEmit failed: out of order'],
  ])
})
