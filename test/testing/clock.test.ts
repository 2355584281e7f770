import { expect, onTestFinished, test, vi } from 'vitest'
import { createSubscriber } from 'eventwire/client'
import { createTestServer, installClock, record, type Clock } from 'eventwire/testing'
import { caught } from '../support/caught.ts'
import { market, price } from '../support/market.ts'

/** A clock that ends with the test. */
function stopTime(now?: number): Clock {
  const clock = installClock({ now })
  onTestFinished(() => clock.uninstall())
  return clock
}

test('time stands still until it is advanced, and then all that tells it agrees', async () => {
  const clock = stopTime(Date.UTC(2030, 0, 1))
  const began = performance.now()
  await new Promise(setImmediate)
  expect([Date.now(), new Date().toISOString(), performance.now() - began]).toEqual([1_893_456_000_000, '2030-01-01T00:00:00.000Z', 0])
  expect(Date()).toBe(new Date(1_893_456_000_000).toString())
  await clock.advance('1h')
  expect([Date.now(), new Date().toISOString(), performance.now() - began]).toEqual([
    1_893_459_600_000,
    '2030-01-01T01:00:00.000Z',
    3_600_000,
  ])
})

test('dates that are not now are as ever', () => {
  const before = new Date(0)
  stopTime()
  expect(before).toBeInstanceOf(Date)
  expect(new Date(0)).toEqual(before)
  expect(new Date(2030, 0, 1).getFullYear()).toBe(2030)
  expect(Date.parse('2030-01-01T00:00:00Z')).toBe(Date.UTC(2030, 0, 1))
  expect(structuredClone(new Date(5)).getTime()).toBe(5)
})

test('timers go off in the order of their times, those of one time in the order in which they were set, at their very time', async () => {
  const clock = stopTime()
  const began = performance.now()
  const fired: [string, number][] = []
  const note = (name: string): void => void fired.push([name, performance.now() - began])
  setTimeout(note, 30, 'c')
  setTimeout(note, 10, 'a')
  setTimeout(note, 30, 'd')
  setTimeout(() => setTimeout(note, 5, 'b'), 10)
  const repeated = setInterval(note, 20, 'every')
  await clock.advance(40)
  clearInterval(repeated)
  await clock.advance('1m')
  expect(fired).toEqual([
    ['a', 10],
    ['b', 15],
    ['every', 20],
    ['c', 30],
    ['d', 30],
    ['every', 40],
  ])
})

test('between two timers, promises get as far as they can', async () => {
  const clock = stopTime()
  const began = performance.now()
  const seen: number[] = []
  const loop = async (): Promise<void> => {
    for (let i = 0; i < 3; i++) {
      await new Promise((resolve) => void setTimeout(resolve, 100))
      for (let turn = 0; turn < 2; turn++) await new Promise(setImmediate)
      seen.push(performance.now() - began)
    }
  }
  void loop()
  await clock.advance('1s')
  expect(seen).toEqual([100, 200, 300])
})

test('what was set can be cleared, by its handle or its number; what was set before is a real timer, and can too', async () => {
  const real = vi.fn<() => void>()
  const before = setTimeout(real, 20)
  const clock = stopTime()
  const run = vi.fn<() => void>()
  clearTimeout(setTimeout(run, 1))
  clearTimeout(Number(setTimeout(run, 1)))
  setTimeout(run, 1).close()
  setTimeout(run, 1)[Symbol.dispose]()
  clearTimeout(undefined)
  clearTimeout(before)
  const refreshed = setTimeout(run, 100).unref().ref()
  await clock.advance(99)
  refreshed.refresh()
  await clock.advance(99)
  expect(run).not.toHaveBeenCalled()
  await clock.advance(1)
  expect(run).toHaveBeenCalledOnce()
  expect(refreshed.hasRef()).toBe(true)
  expect(refreshed.unref().hasRef()).toBe(false)
  clock.uninstall()
  await new Promise((resolve) => void setTimeout(resolve, 40))
  expect(real).not.toHaveBeenCalled()
})

test('a time that no timer can wait for is none, as with real ones', async () => {
  const clock = stopTime()
  const run = vi.fn<() => void>()
  for (const delay of [0, -1, NaN, 2 ** 31, undefined]) setTimeout(run, delay)
  await clock.advance(0)
  expect(run).toHaveBeenCalledTimes(5)
})

test('a timer that throws fails the advance that set it off', async () => {
  const clock = stopTime()
  setTimeout(() => {
    throw new Error('boom')
  }, 5)
  await expect(clock.advance(10)).rejects.toThrow('boom')
})

test('a timer of 0 ms that sets itself again is told apart from one that ends', async () => {
  const clock = stopTime()
  const again = (): void => void setTimeout(again, 0)
  again()
  await expect(clock.advance(1)).rejects.toMatchObject({ code: 'timeout' })
})

test('uninstall brings back what was there before, and timers that wait never go off', async () => {
  const globals = ['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'Date'] as const
  const before = globals.map((name) => Object.getOwnPropertyDescriptor(globalThis, name))
  const clock = installClock()
  expect(globals.map((name) => Object.getOwnPropertyDescriptor(globalThis, name))).not.toEqual(before)
  const run = vi.fn<() => void>()
  setTimeout(run, 1)
  clock.uninstall()
  clock.uninstall()
  expect(globals.map((name) => Object.getOwnPropertyDescriptor(globalThis, name))).toEqual(before)
  expect(Object.hasOwn(performance, 'now')).toBe(false)
  await new Promise((resolve) => void setTimeout(resolve, 20))
  expect(run).not.toHaveBeenCalled()
})

test('heartbeats, maxAge, connectTimeout and the age of the log go by the clock', async () => {
  const clock = stopTime()
  const server = createTestServer(market, {
    heartbeat: 5_000,
    history: { age: '1m' },
    connect: ({ url }) => (url.endsWith('/slow') ? new Promise<undefined>(() => {}) : { maxAge: 600_000 }),
  })
  onTestFinished(() => server.close())
  const comments: string[] = []
  const reader = (await server.fetch('/')).body!.pipeThrough(new TextDecoderStream()).getReader()
  const read = async (): Promise<void> => {
    for (let it = await reader.read(); !it.done; it = await reader.read()) comments.push(it.value)
    comments.push('end')
  }
  void read()
  await clock.advance('5m')
  expect(comments.filter((it) => it.startsWith(':'))).toHaveLength(60)
  await clock.advance('5m')
  expect(comments.at(-1)).toBe('end')

  await server.emitter.emit('price', price(1))
  expect(server.emitter.stats().log.events).toBe(1)
  await clock.advance(60_001)
  expect(server.emitter.stats().log.events).toBe(0)

  const slow = server.subscribe({ url: '/slow', connectTimeout: 10_000 })
  record(slow)
  await clock.advance('10s')
  expect(slow.status).toMatchObject({ state: 'connecting', attempt: 2, error: { code: 'timeout' } })
})

test('a day of heartbeats passes in a moment, and the stream stays open', async () => {
  const clock = stopTime()
  const server = createTestServer(market)
  onTestFinished(() => server.close())
  const heard = record(server.subscribe())
  await server.settled()
  await clock.advance('1d')
  expect(heard.statuses.at(-1)).toEqual({ state: 'open', resumed: false, replayed: 0 })
})

test('retryAt is the time at which the next attempt comes', async () => {
  const clock = stopTime()
  const server = createTestServer(market)
  onTestFinished(() => server.close())
  const stream = server.subscribe()
  record(stream)
  await server.settled()
  server.cut()
  await server.settled()
  const { status } = stream
  const wait = 'retryAt' in status ? status.retryAt - Date.now() : NaN
  await clock.advance(wait - 1)
  expect(stream.status.state).toBe('connecting')
  await clock.advance(1)
  expect(stream.status.state).toBe('open')
})

test('the fake timers of vitest do as well', async () => {
  const server = createTestServer(market)
  onTestFinished(() => server.close())
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const stream = server.subscribe()
  const heard = record(stream)
  await server.settled()
  server.cut()
  await server.emitter.emit('price', price(1))
  await server.settled()
  await vi.advanceTimersByTimeAsync(2_000)
  await server.settled()
  expect(heard.events).toMatchObject([{ data: price(1) }])
  server.stall()
  await vi.advanceTimersByTimeAsync(44_000)
  expect(stream.status.state).toBe('open')
  await vi.advanceTimersByTimeAsync(1_000)
  expect(stream.status).toMatchObject({ state: 'connecting', error: { code: 'timeout' } })
})

test('misuse says what to do', async () => {
  const refused = (act: () => unknown): string => {
    const { code, message } = caught(act)
    expect(code).toBe('invalid-option')
    return message
  }
  vi.useFakeTimers()
  expect(refused(installClock)).toContain('vi.useRealTimers()')
  vi.useRealTimers()

  const server = createTestServer(market)
  onTestFinished(() => server.close())
  record(server.subscribe())
  await server.settled()
  expect(refused(installClock)).toContain('Install the clock before it connects')
  await server.close()

  expect(refused(() => installClock({ now: NaN }))).toContain('installClock: now')
  const clock = stopTime()
  expect(refused(installClock)).toContain('installed already')
  await expect(clock.advance('soon' as '1s')).rejects.toMatchObject({
    code: 'invalid-option',
    message: expect.stringContaining('advance is "soon"'),
  })
  await expect(clock.advance(Infinity)).rejects.toThrow('Give a time that ends')
  clock.uninstall()
  await expect(clock.advance(1)).rejects.toThrow('was uninstalled')
})

test('a subscriber of ones own has the clock too, through the fetch of the server', async () => {
  const clock = stopTime()
  const server = createTestServer(market)
  onTestFinished(() => server.close())
  const stream = createSubscriber(market, '/events', { fetch: server.fetch })
  onTestFinished(() => stream.close())
  const heard = record(stream)
  await server.settled()
  server.cut()
  await server.emitter.emit('price', price(1))
  await clock.advance('2s')
  expect(heard.events).toMatchObject([{ data: price(1) }])
})

test('to clear what is no timer does nothing, as ever', () => {
  const clock = installClock()
  onTestFinished(() => clock.uninstall())
  for (const none of [undefined, null, Object.create(null), {}, 'x', Number.NaN]) clearTimeout(none as never)
})
