import { describe, expect, onTestFinished, test } from 'vitest'
import type { EventwireError } from 'eventwire'
import { createEmitter, memoryLog, type Connection, type Emitter, type EmitterOptions, type OutgoingEvent } from 'eventwire/server'
import { listen, type Listening } from '../support/listen.ts'
import { market, price, type Market } from '../support/market.ts'
import { serve, type Served } from '../support/serve.ts'
import { collector, subscribe } from '../support/subscribe.ts'
import { WAYS } from '../support/ways.ts'

type MarketEvent = OutgoingEvent<Market>

/** The names, ids and data that came, control messages included, in order. */
function told({ messages }: Listening): string[] {
  return messages.map(({ event, data }) => (event.startsWith('$') ? event : `${event} ${data}`))
}

const state = (usd: number): MarketEvent => ({ event: 'price', data: price(usd) })
const line = (usd: number): string => `price ${JSON.stringify(price(usd))}`

describe.each(WAYS)('with %s', (_, listener) => {
  async function open(options: EmitterOptions<Market>): Promise<Served & { emitter: Emitter<Market> }> {
    const emitter = createEmitter(market, options)
    const served = await serve(listener(emitter))
    onTestFinished(() => emitter.close())
    return { ...served, emitter }
  }

  test.each([
    ['an array', () => [state(1), state(2)]],
    ['a promise of an array', async () => [state(1), state(2)]],
    [
      'a generator',
      function* () {
        yield state(1)
        yield state(2)
      },
    ],
    [
      'an async generator',
      async function* () {
        yield state(1)
        yield state(2)
      },
    ],
  ])('a new client hears the snapshot, then the checkpoint, then what follows: from %s', async (_kind, snapshot) => {
    const { url, emitter } = await open({ snapshot })
    await emitter.emit('price', price(0))
    const stream = await listen(url)
    await stream.until(({ cursor }) => cursor !== '')
    const id = await emitter.emit('price', price(3))
    await stream.until(({ cursor }) => cursor === id)
    expect(told(stream)).toEqual(['$ready', line(1), line(2), line(3)])
    // What is of the snapshot has no id of its own, and the checkpoint follows it.
    expect(stream.messages.map((message) => message.id)).toEqual(['', '', '', id])
    expect(stream.text.indexOf('\nid: ')).toBeGreaterThan(stream.text.indexOf('"usd":2'))
  })

  test('what is emitted while the snapshot is made follows it, in order and once', async () => {
    const begun = Promise.withResolvers<void>()
    const go = Promise.withResolvers<void>()
    const { url, emitter } = await open({
      async *snapshot() {
        begun.resolve()
        await go.promise
        yield state(100)
      },
    })
    const stream = await listen(url)
    await begun.promise
    for (const usd of [1, 2, 3]) await emitter.emit('price', price(usd))
    go.resolve()
    await stream.until(({ events }) => events.length === 4)
    expect(told(stream)).toEqual(['$ready', line(100), line(1), line(2), line(3)])
  })

  test('a client that resumes gets no snapshot', async () => {
    let taken = 0
    const { url, emitter } = await open({ snapshot: () => (taken++, [state(100)]) })
    const id = await emitter.emit('price', price(1))
    await emitter.emit('price', price(2))
    const stream = await listen(url, { 'last-event-id': id })
    await stream.until(({ events }) => events.length === 1)
    expect(told(stream)).toEqual(['$ready', line(2)])
    expect(taken).toBe(0)
  })

  test('after a gap the snapshot stands for what was lost, and the stream goes on at the head', async () => {
    const { url, emitter } = await open({ history: { events: 2 }, snapshot: () => [state(100)] })
    const ids: string[] = []
    for (const usd of [1, 2, 3, 4]) ids.push(await emitter.emit('price', price(usd)))
    const stream = await listen(url, { 'last-event-id': ids[0]! })
    await stream.until(({ cursor }) => cursor === ids[3])
    expect(told(stream)).toEqual(['$ready', '$gap', line(100)])
    expect(stream.gaps).toEqual([{ reason: 'evicted', requested: ids[0], oldest: '' }])
    expect(stream.ready).toMatchObject({ resumed: false, replayed: 0 })
  })

  test('a client that is cut in mid-snapshot hears it again, and the gap before it', async () => {
    let taken = 0
    const { url, emitter, cut } = await open({
      history: { events: 1 },
      async *snapshot() {
        yield state(100)
        if (taken++ > 0) return
        await new Promise(() => {})
      },
    })
    const first = await emitter.emit('price', price(1))
    await emitter.emit('price', price(2))
    await emitter.emit('price', price(3))
    const { stream, gaps } = subscribe(url, { lastEventId: first })
    const heard = collector<number>()
    stream.on('price', ({ usd }) => heard.take(usd))
    await heard.reach(1)
    cut()
    expect(await heard.reach(2)).toEqual([100, 100])
    await emitter.emit('price', price(4))
    expect(await heard.reach(3)).toEqual([100, 100, 4])
    expect(gaps.map(({ requested }) => requested)).toEqual([first, first])
  })

  test('a log that is cleared in mid-snapshot is a gap, and the state is told anew', async () => {
    const log = memoryLog()
    let taken = 0
    const { url, emitter } = await open({
      log,
      async *snapshot() {
        taken++
        if (taken === 1) log.clear()
        yield state(taken)
      },
    })
    const stream = await listen(url)
    await stream.until(({ cursor }) => cursor !== '')
    await emitter.emit('price', price(100))
    await stream.until(({ events }) => events.length === 3)
    expect(told(stream)).toEqual(['$ready', line(1), '$gap', line(2), line(100)])
    expect(stream.gaps[0]!.reason).toBe('epoch')
  })

  test('a log that outruns the snapshot is a gap, and the state is told anew', async () => {
    let taken = 0
    const { url, emitter } = await open({
      history: { events: 2 },
      async *snapshot() {
        taken++
        if (taken === 1) for (const usd of [1, 2, 3]) await emitter.emit('price', price(usd))
        yield state(100 + taken)
      },
    })
    const stream = await listen(url)
    await stream.until(({ cursor }) => cursor !== '')
    expect(told(stream)).toEqual(['$ready', line(101), '$gap', line(102)])
    expect(stream.gaps[0]!.reason).toBe('overflow')
    expect(emitter.stats().gaps).toBe(1)
  })

  test.each([
    ['throws', () => Promise.reject(new Error('no database'))],
    ['yields what the contract refuses', () => [{ event: 'price', data: { symbol: 'BTC', usd: 'much' } }] as unknown as MarketEvent[]],
    ['yields what is no event', () => [undefined] as unknown as MarketEvent[]],
    ['gives nothing to iterate', () => 7 as unknown as MarketEvent[]],
  ])('a snapshot that %s ends the stream without a checkpoint, onError hears it, and the client tries again', async (_kind, fail) => {
    let taken = 0
    const errors: EventwireError[] = []
    const { url } = await open({
      snapshot: () => (taken++ === 0 ? fail() : [state(1)]),
      onError: (error) => void errors.push(error),
    })
    const cut = await listen(url)
    await cut.ended
    expect(cut.cursor).toBe('')
    expect(cut.text).not.toContain('$end')
    expect(errors).toMatchObject([{ code: 'hook-failed', message: expect.stringContaining('snapshot') as string }])
    const again = await listen(url)
    await again.until(({ cursor }) => cursor !== '')
    expect(told(again)).toEqual(['$ready', line(1)])
  })

  test('a snapshot that takes long is bridged by heartbeats', async () => {
    const go = Promise.withResolvers<void>()
    const { url } = await open({
      heartbeat: 10,
      async *snapshot() {
        await go.promise
        yield state(1)
      },
    })
    const stream = await listen(url)
    await stream.until(({ text }) => text.includes('\n:\n\n:\n\n'))
    go.resolve()
    await stream.until(({ cursor }) => cursor !== '')
    expect(told(stream)).toEqual(['$ready', line(1)])
  })

  test('a client that leaves in mid-snapshot ends it: its signal aborts, and finally runs', async () => {
    const begun = Promise.withResolvers<void>()
    const ended = Promise.withResolvers<unknown>()
    const errors: EventwireError[] = []
    const { url, emitter } = await open({
      async *snapshot({ signal }: Connection<Market>) {
        try {
          yield state(1)
          begun.resolve()
          await new Promise((__, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)))
        } finally {
          ended.resolve(signal.aborted)
        }
      },
      onError: (error) => void errors.push(error),
    })
    const stream = await listen(url)
    await begun.promise
    stream.leave()
    expect(await ended.promise).toBe(true)
    expect(emitter.stats().connections).toBe(0)
    expect(errors).toEqual([])
  })

  test('a snapshot that is there only when the client has left is given back', async () => {
    const asked = Promise.withResolvers<AbortSignal>()
    const given = Promise.withResolvers<AsyncIterable<MarketEvent>>()
    const returned = Promise.withResolvers<void>()
    const { url } = await open({
      snapshot(connection) {
        asked.resolve(connection.signal)
        return given.promise
      },
    })
    const stream = await listen(url)
    const signal = await asked.promise
    const left = new Promise((resolve) => signal.addEventListener('abort', resolve))
    stream.leave()
    await left
    given.resolve({
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new Error('nobody is there')),
        return() {
          returned.resolve()
          return Promise.resolve({ done: true as const, value: undefined })
        },
      }),
    })
    await returned.promise
  })

  test('a snapshot is drawn only as fast as the client takes it', async () => {
    let drawn = 0
    const left = Promise.withResolvers<void>()
    const { url, emitter } = await open({
      heartbeat: 20,
      onSlow: () => left.resolve(),
      *snapshot() {
        for (;;) {
          drawn++
          yield { event: 'message', data: 'x'.repeat(100_000) }
        }
      },
    })
    const leaving = new AbortController()
    const response = await fetch(url, { signal: leaving.signal })
    await left.promise
    const before = drawn
    expect(emitter.stats().buffered).toBeLessThan(1 << 20)
    // What the kernel and both ends hold, not what it would yield.
    expect(before).toBeLessThan(500)
    leaving.abort()
    await response.text().catch(() => '')
  })
})
