import { expect, onTestFinished, test, vi } from 'vitest'
import { serveEmitter } from '../support/emitter.ts'
import { scripted, serveTcp, STREAM_HEAD } from '../support/serve.ts'
import { collector, subscribe } from '../support/subscribe.ts'

const block = (n: number): string => `id: e-${n}\ndata: ${n}\n\n`
const blocks = (from: number, to: number): string => Array.from({ length: to - from + 1 }, (_, i) => block(from + i)).join('')

test('drop-oldest: a slow handler hears the newest, behind a gap that says what was dropped', async () => {
  const { url, write } = await scripted()
  const { stream, gaps } = subscribe(url, { limits: { queue: 3 }, overflow: 'drop-oldest' })
  const heard = collector<string>()
  let finish = (): void => {}
  stream.on('message', (text) => {
    heard.take(text)
    return new Promise<void>((resolve) => (finish = resolve))
  })
  stream.onGap(({ requested, oldest }) => heard.take(`gap ${requested} ${oldest}`))
  await write(blocks(1, 10))
  await heard.reach(1)
  for (let n = 2; n <= 4; n++) {
    finish()
    await heard.reach(n)
  }
  // 1 is under way; of the others the two newest are kept.
  expect(heard.items).toEqual(['1', 'gap e-1 e-9', '9', '10'])
  expect(stream.lastEventId).toBe('e-9')
  expect(gaps).toEqual([{ reason: 'overflow', requested: 'e-1', oldest: 'e-9' }])
})

test('drop-oldest: a quick handler beside a slow one hears everything', async () => {
  const { url, write } = await scripted()
  const { stream } = subscribe(url, { limits: { queue: 3 }, overflow: 'drop-oldest' })
  stream.on('message', () => new Promise<void>(() => {}))
  const quick = collector<string>()
  stream.on('message', quick.take)
  await write(blocks(1, 50))
  await write(blocks(51, 100))
  expect(await quick.reach(100)).toEqual(Array.from({ length: 100 }, (_, i) => String(i + 1)))
})

test('drop-oldest: what nobody has missed leaves no gap', async () => {
  const { url, write } = await scripted()
  const { stream, gaps } = subscribe(url, { limits: { queue: 3 }, overflow: 'drop-oldest' })
  const gate = Promise.withResolvers<void>()
  stream.on('price', () => gate.promise)
  const heard = collector<string>()
  stream.on('message', heard.take)
  await write(`event: price\ndata: {"symbol":"BTC","usd":1}\n\n${blocks(2, 20)}`)
  await heard.reach(19)
  gate.resolve()
  await write(block(21))
  await heard.reach(20)
  await new Promise(setImmediate)
  expect(gaps).toEqual([])
  expect(stream.lastEventId).toBe('e-21')
})

test('drop-oldest: while there is no handler, the newest wait for one', async () => {
  const { url, write } = await scripted()
  const { stream, gaps } = subscribe(url, { limits: { queue: 2 }, overflow: 'drop-oldest' })
  const received = Promise.withResolvers<void>()
  stream.once('message', () => received.resolve())
  await write(blocks(1, 9))
  await received.promise
  const heard = collector<string>()
  await new Promise(setImmediate)
  stream.on('message', heard.take)
  expect(await heard.reach(2)).toEqual(['8', '9'])
  expect(gaps).toEqual([{ reason: 'overflow', requested: 'e-1', oldest: 'e-8' }])
})

test('error: the subscriber closes with a fault that says what to do, behind what it has handled', async () => {
  const { url, write } = await scripted()
  const { stream } = subscribe(url, { limits: { queue: 3 }, overflow: 'error' })
  const gate = Promise.withResolvers<void>()
  const heard: string[] = []
  stream.on('message', async (text) => {
    await gate.promise
    heard.push(text)
  })
  await write(blocks(1, 10))
  setImmediate(gate.resolve)
  expect(await stream.closed).toMatchObject({
    reason: 'fatal',
    error: { code: 'overflow', message: expect.stringContaining('limits.queue') },
  })
  expect([heard, stream.lastEventId]).toEqual([['1', '2', '3'], 'e-3'])
})

test('pause: the socket is not read while too much waits, which the server sees as backpressure', async () => {
  let accepted = 0
  let drained = false
  const full = Promise.withResolvers<void>()
  const { url } = await serveTcp((socket) => {
    socket.write(STREAM_HEAD)
    const data = 'x'.repeat(10_000)
    const pour = (): void => {
      while (socket.write(`data: ${data}\n\n`)) accepted++
      full.resolve()
      socket.once('drain', () => {
        drained = true
        pour()
      })
    }
    pour()
  })
  const { stream } = subscribe(url, { limits: { queue: 10 } })
  const gate = Promise.withResolvers<void>()
  const heard = collector<string>()
  stream.on('message', async (text) => {
    await gate.promise
    heard.take(text)
  })
  await full.promise
  // The kernel's and fetch's buffers fill, and then nothing moves: no drain for as long as a few hundred turns of the loop.
  let stillness = 0
  for (let before = -1; stillness < 200; before = accepted) {
    stillness = before === accepted ? stillness + 1 : 0
    await new Promise(setImmediate)
  }
  drained = false
  for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate)
  expect([heard.items.length, drained]).toEqual([0, false])
  const before = accepted
  gate.resolve()
  await heard.reach(before)
  expect(drained).toBe(true)
})

test('a handler that never settles holds up no other, and is named when the stream has to wait for it', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const { url, write } = await scripted()
  const { stream, errors } = subscribe(url, { limits: { queue: 5 } })
  stream.on('message', () => new Promise<void>(() => {}))
  const quick = collector<string>()
  stream.on('message', quick.take)
  await write(blocks(1, 7))
  expect(await quick.reach(7)).toHaveLength(7)
  await new Promise(setImmediate)
  vi.advanceTimersByTime(29_999)
  expect(errors).toEqual([])
  vi.advanceTimersByTime(1)
  expect(errors).toMatchObject([{ code: 'handler-stalled', event: 'message', id: 'e-1', message: expect.stringContaining('"message"') }])
})

test('events that nobody comes for are named as such', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const { url, write } = await scripted()
  const { stream, errors } = subscribe(url, { limits: { queue: 2 } })
  const first = Promise.withResolvers<void>()
  stream.once('message', () => first.resolve())
  await write(blocks(1, 7))
  await first.promise
  await new Promise(setImmediate)
  vi.advanceTimersByTime(30_000)
  expect(errors).toMatchObject([{ code: 'handler-stalled', message: 'No handler has come for 30 s, and the stream waits for it.' }])
})

test('with drop-oldest a server is never made to wait, and what is dropped is declared', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const { stream, gaps } = subscribe(url, { limits: { queue: 5 }, overflow: 'drop-oldest' })
  const gate = Promise.withResolvers<void>()
  const heard = collector<number>()
  stream.on('message', async (text) => {
    await gate.promise
    heard.take(Number(text))
  })
  const seen = collector<string>()
  stream.on('price', ({ symbol }) => seen.take(symbol))
  await connected(1)
  for (let i = 1; i <= 2_000; i++) void emitter.emit('message', String(i).padEnd(10_000))
  void emitter.emit('price', { symbol: 'LAST', usd: 1 })
  await seen.reach(1)
  gate.resolve()
  // One was under way, and beside the price three could wait.
  expect(await heard.reach(4)).toEqual([1, 1_998, 1_999, 2_000])
  expect(gaps.map(({ reason }) => reason)).toEqual(['overflow'])
})

const GAP = 'event: $gap\ndata: {"reason":"evicted","requested":"x","oldest":""}\n\n'

test('a gap is told as soon as one handler has come to it, and a handler that hangs keeps no other from what follows', async () => {
  const { url, write } = await scripted()
  const { stream, gaps } = subscribe(url)
  stream.on('message', (text) => (text === '1' ? new Promise<void>(() => {}) : undefined))
  const quick = collector<string>()
  stream.on('message', quick.take)
  await write(block(1) + GAP + blocks(2, 50))
  expect(await quick.reach(50)).toEqual(Array.from({ length: 50 }, (_, i) => String(i + 1)))
  expect(gaps).toHaveLength(1)
})

test('drop-oldest: a handler that hangs does not keep a slow one from the newest', async () => {
  const { url, write } = await scripted()
  const { stream } = subscribe(url, { overflow: 'drop-oldest', limits: { queue: 3 } })
  stream.on('message', () => new Promise<void>(() => {}))
  const slow = collector<string>()
  const newest = Promise.withResolvers<void>()
  stream.on('message', async (text) => {
    slow.take(text)
    await new Promise(setImmediate)
    if (text === '200') newest.resolve()
  })
  for (let n = 0; n < 20; n++) await write(blocks(n * 10 + 1, n * 10 + 10))
  await newest.promise
  expect(slow.items.map(Number)).toEqual(slow.items.map(Number).toSorted((a, b) => a - b))
})

test('error: the fault is told though a handler hangs', async () => {
  const { url, write } = await scripted()
  const { stream, errors, status } = subscribe(url, { limits: { queue: 3 }, overflow: 'error' })
  const closed = status(({ state }) => state === 'closed')
  stream.on('message', () => new Promise<void>(() => {}))
  await write(blocks(1, 10))
  expect(await closed).toMatchObject({ reason: 'fatal', error: { code: 'overflow' } })
  expect(errors.map(({ code }) => code)).toEqual(['overflow'])
})

test('error: events that come one by one overflow too', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const { stream, status } = subscribe(url, { limits: { queue: 10 }, overflow: 'error' })
  const closed = status(({ state }) => state === 'closed')
  stream.on('message', () => new Promise<void>(() => {}))
  await connected(1)
  for (let n = 0; n < 50; n++) {
    await emitter.emit('message', String(n))
    await new Promise(setImmediate)
  }
  expect(await closed).toMatchObject({ reason: 'fatal', error: { code: 'overflow' } })
})
