import { randomBytes } from 'node:crypto'
import { connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { createGunzip } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createEmitter, memoryLog } from 'eventwire/server'
import { listen } from '../../support/listen.ts'
import { market, price } from '../../support/market.ts'
import { collector, subscribe } from '../../support/subscribe.ts'
import { WAYS } from '../../support/ways.ts'
import { listenZipped } from '../../support/zipped.ts'
import { serveCompressed } from './support.ts'

/** Text that no coding makes much smaller. */
const noise = (characters: number): string =>
  randomBytes(Math.ceil(characters / 2))
    .toString('hex')
    .slice(0, characters)

describe.each(WAYS)('by %s', (_, listener) => {
  test.each([
    ['fetch', listen],
    ['a client that unpacks it itself', listenZipped],
  ])('%s reads each event before the next is emitted', async (_client, open) => {
    const { url, emitter } = await serveCompressed(listener)
    const stream = await open(url)
    await stream.until(({ cursor }) => cursor !== '')
    for (let count = 1; count <= 200; count++) {
      void emitter.emit('price', price(count))
      // Now and then some at once.
      for (let more = 0; more < count % 7; more++) void emitter.emit('message', `and ${more}`)
      const last = emitter.stats().log.head
      await stream.until(({ cursor }) => cursor === last)
    }
    expect(stream.gaps).toEqual([])
  })

  test('a client with a cursor is sent what it missed, and goes on', async () => {
    const { url, emitter } = await serveCompressed(listener)
    const first = await emitter.emit('price', price(0))
    for (let count = 1; count <= 100; count++) await emitter.emit('price', price(count))
    const stream = await listenZipped(url, { 'last-event-id': first })
    await stream.until(({ events }) => events.length === 100)
    expect(stream.ready).toMatchObject({ resumed: true, replayed: 100 })
    for (let count = 101; count <= 150; count++) {
      void emitter.emit('price', price(count))
      await stream.until(({ events }) => events.length === count)
    }
    expect(stream.events.map(({ data }) => JSON.parse(data).usd)).toEqual(Array.from({ length: 150 }, (_value, i) => i + 1))
  })

  test('gaps are told: what was evicted, and that the log has begun anew', async () => {
    const log = memoryLog({ events: 2 })
    const { url, emitter } = await serveCompressed(listener, { log })
    const first = await emitter.emit('message', '1')
    for (const text of ['2', '3', '4']) await emitter.emit('message', text)
    const stream = await listenZipped(url, { 'last-event-id': first })
    await stream.until(({ events }) => events.at(-1)?.data === '4')
    await emitter.emit('message', '5')
    log.clear()
    await emitter.emit('message', '6')
    await stream.until(({ events }) => events.at(-1)?.data === '6')
    expect(stream.gaps.map(({ reason }) => reason)).toEqual(['evicted', 'epoch'])
    expect(stream.events.map(({ data }) => data)).toEqual(['3', '4', '5', '6'])
  })

  test('a snapshot, what one client alone is sent, and heartbeats come between the events of all', async () => {
    const { url, emitter, connections } = await serveCompressed(listener, {
      heartbeat: 10,
      snapshot: () => [{ event: 'message', data: 'the state' }],
      onConnect: (connection) => void connection.send('message', 'welcome'),
    })
    const streams = [await listenZipped(url), await listenZipped(url)] as const
    for (const { until } of streams) await until(({ cursor }) => cursor !== '')
    const [connection] = connections
    for (let count = 1; count <= 40; count++) {
      void emitter.emit('message', `event ${count}`)
      if (count % 4 === 0) void connection!.send('message', 'for one')
      if (count % 10 === 0)
        for (const { until, text } of streams) await until((it) => it.text.split('\n:\n\n').length > text.split('\n:\n\n').length)
      for (const { until } of streams)
        await until(({ events }) => events.at(-1)?.data === `event ${count}` || events.at(-1)?.data === 'for one')
    }
    await emitter.close()
    for (const stream of streams) {
      await stream.ended
      expect(stream.whole()).toBe(stream.text)
      const heard = stream.events.map(({ data }) => data).filter((data) => data !== 'for one')
      expect(heard).toEqual(['welcome', 'the state', ...Array.from({ length: 40 }, (_value, i) => `event ${i + 1}`)])
    }
    expect(streams.map(({ events }) => events.filter(({ data }) => data === 'for one').length)).toEqual([10, 0])
  })

  test('a reader that stalls catches up from the log, beside one that does not', async () => {
    const { url, emitter } = await serveCompressed(listener)
    const [slow, quick] = [await listenZipped(url), await listenZipped(url)]
    for (const { until } of [slow, quick]) await until(({ cursor }) => cursor !== '')
    slow.incoming.pause()
    const sent: string[] = []
    while (emitter.stats().lag < 20) {
      sent.push(noise(100_000))
      void emitter.emit('message', sent.at(-1)!)
      await quick.until(({ events }) => events.length === sent.length)
    }
    slow.incoming.resume()
    await slow.until(({ events }) => events.length === sent.length)
    for (let more = 0; more < 20; more++) {
      sent.push(`live ${more}`)
      void emitter.emit('message', sent.at(-1)!)
      for (const { until } of [slow, quick]) await until(({ events }) => events.length === sent.length)
    }
    await emitter.close({ grace: 500 })
    for (const stream of [slow, quick]) {
      await stream.ended
      expect(stream.whole() === stream.text).toBe(true)
      expect(stream.gaps).toEqual([])
      expect(stream.events.every(({ data }, i) => data === sent[i])).toBe(true)
    }
  })

  test('a reader that stalls may be sent the newest of each key alone', async () => {
    const keyOf = (text: string): string => text.slice(0, 1)
    const { url, emitter } = await serveCompressed(listener, {
      slowConsumer: { latest: (event) => (event.event === 'message' ? keyOf(event.data) : undefined) },
    })
    const stream = await listenZipped(url)
    await stream.until(({ cursor }) => cursor !== '')
    stream.incoming.pause()
    const newest = new Map<string, string>()
    for (let count = 0; emitter.stats().lag < 50; count++) {
      const text = `${count % 5} ${noise(100_000)}`
      newest.set(keyOf(text), text)
      await emitter.emit('message', text)
      await new Promise(setImmediate)
    }
    stream.incoming.resume()
    const last = emitter.stats().log.head
    await stream.until(({ cursor }) => cursor === last)
    expect(stream.gaps.map(({ reason }) => reason)).toEqual(['superseded'])
    expect(new Map(stream.events.map(({ data }) => [keyOf(data), data]))).toEqual(newest)
    await emitter.close({ grace: 500 })
    await stream.ended
    expect(stream.whole() === stream.text).toBe(true)
  })

  test.each([65_537, 200_000, (1 << 20) - 7])('an event of %i bytes arrives whole, among small ones', async (size) => {
    const { url, emitter } = await serveCompressed(listener)
    const stream = await listenZipped(url)
    await stream.until(({ cursor }) => cursor !== '')
    const texts = ['small', noise(size), 'small', 'x'.repeat(size), 'small', 'small']
    for (const [i, text] of texts.entries()) {
      void emitter.emit('message', text)
      await stream.until(({ events }) => events.length === i + 1)
      expect(stream.events[i]!.data === text).toBe(true)
    }
    await emitter.close({ grace: 500 })
    await stream.ended
    expect(stream.whole() === stream.text).toBe(true)
  })

  test('a subscriber hears every event in order, over cuts', async () => {
    const { url, emitter, cut } = await serveCompressed(listener)
    const { stream, status, gaps, errors } = subscribe(url)
    const prices = collector<number>()
    stream.on('price', ({ usd }) => prices.take(usd))
    await status(({ state, ...rest }) => state === 'open' && 'resumed' in rest)
    let count = 0
    for (let round = 0; round < 5; round++) {
      for (let more = 0; more < 50; more++) {
        void emitter.emit('price', price(++count))
        if (more % 3 === 0) await prices.reach(count)
      }
      if (round % 2 === 0) cut()
    }
    expect(await prices.reach(count)).toEqual(Array.from({ length: count }, (_value, i) => i + 1))
    expect([gaps, errors]).toEqual([[], []])
  })
})

test('over HTTP/2 it is the same', async () => {
  const emitter = createEmitter(market, { compression: 'shared' })
  const server = createServer((request, response) => emitter.handleNode(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  onTestFinished(async () => {
    session.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  const stream = session.request({ ':path': '/events', 'accept-encoding': 'gzip' })
  const headers = await new Promise<object>((resolve) => stream.on('response', resolve))
  expect(headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'accept-encoding' })
  let text = ''
  let wake = Promise.withResolvers<void>()
  const unpacked = stream.pipe(createGunzip()).on('data', (piece: Buffer) => {
    text += piece.toString()
    wake.resolve()
    wake = Promise.withResolvers()
  })
  const hears = async (part: string): Promise<void> => {
    while (!text.includes(part)) await wake.promise
  }
  await hears('\n\nid: ')
  for (let count = 1; count <= 100; count++) {
    void emitter.emit('message', `event ${count}`)
    await hears(`data: event ${count}\n\n`)
  }
  const ended = new Promise((resolve, reject) => unpacked.on('end', resolve).on('error', reject))
  await emitter.close()
  await ended
})
