import { expect, onTestFinished, test } from 'vitest'
import { EventwireError } from 'eventwire'
import { createSubscriber } from 'eventwire/client'
import { serveEmitter } from '../support/emitter.ts'
import { market, price, type Market } from '../support/market.ts'
import { serveTcp, STREAM_HEAD } from '../support/serve.ts'
import { collector, subscribe } from '../support/subscribe.ts'

test('hands each event to the handlers of its name, typed, in order', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const { stream } = subscribe(url)
  const heard = collector<string>()
  stream.on('price', ({ symbol, usd }, { event, id }) => heard.take(`${event} ${symbol} ${usd} ${id.split('-')[1]}`))
  stream.on('message', (text) => heard.take(text))
  await connected(1)
  void emitter.emit('price', price(1))
  void emitter.emit('halted', { symbol: 'BTC', reason: 'nobody listens' })
  void emitter.emit('message', 'plain')
  void emitter.emit('price', price(2, 'ETH'))
  expect(await heard.reach(3)).toEqual(['price BTC 1 1', 'plain', 'price ETH 2 4'])
})

test('connects when the first handler arrives, and not before', async () => {
  const { url, connections, connected } = await serveEmitter()
  const { stream, statuses } = subscribe(url)
  await new Promise(setImmediate)
  expect(connections.size).toBe(0)
  expect(statuses).toEqual([])
  expect(stream.status).toEqual({ state: 'connecting', attempt: 1 })
  stream.on('price', () => {})
  await connected(1)
})

test('a removed handler hears nothing more; removing it twice is harmless, and removes no other', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const { stream } = subscribe(url)
  const heard = collector<string>()
  const handler = (text: string): void => heard.take(text)
  const off = stream.on('message', handler)
  stream.on('message', handler)
  await connected(1)
  void emitter.emit('message', 'twice')
  await heard.reach(2)
  off()
  off()
  void emitter.emit('message', 'once')
  void emitter.emit('message', 'end')
  expect(await heard.reach(4)).toEqual(['twice', 'twice', 'once', 'end'])
})

test('once hears one event, and can be called off before it', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const { stream } = subscribe(url)
  const heard = collector<string>()
  stream.once('message', (text) => heard.take(`once ${text}`))
  stream.once('message', (text) => heard.take(`never ${text}`))()
  stream.on('message', (text) => heard.take(text))
  await connected(1)
  void emitter.emit('message', 'a')
  void emitter.emit('message', 'b')
  expect(await heard.reach(3)).toEqual(['once a', 'a', 'b'])
})

test('what comes between one consumer and the next is not lost', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const { stream } = subscribe(url)
  const first = Promise.withResolvers<string>()
  stream.once('message', first.resolve)
  await connected(1)
  for (const text of ['a', 'b', 'c', 'd']) void emitter.emit('message', text)
  expect(await first.promise).toBe('a')
  await new Promise(setImmediate)
  for await (const { data } of stream) {
    expect(data).toBe('b')
    break
  }
  const rest = collector<string>()
  stream.once('message', (text) => rest.take(`once ${text}`))
  stream.on('message', (text) => rest.take(text))
  expect(await rest.reach(3)).toEqual(['once c', 'c', 'd'])
})

test('a handler that throws is reported with its event, and stops neither the others nor the stream', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const { stream, errors } = subscribe(url)
  const heard = collector<string>()
  stream.on('message', () => {
    throw new Error('sync')
  })
  stream.on('message', async () => {
    throw new Error('async')
  })
  stream.on('message', (text) => heard.take(text))
  await connected(1)
  const id = await emitter.emit('message', 'a')
  void emitter.emit('message', 'b')
  expect(await heard.reach(2)).toEqual(['a', 'b'])
  while (errors.length < 4) await new Promise(setImmediate)
  expect(errors[0]).toBeInstanceOf(EventwireError)
  expect(errors[0]).toMatchObject({ code: 'handler-failed', event: 'message', id, message: 'A handler of event "message" threw: sync' })
  expect(errors.map(({ cause }) => (cause as Error).message).sort()).toEqual(['async', 'async', 'sync', 'sync'])
})

test('without an onError the report goes to the console', async () => {
  const printed = collector<unknown>()
  const { error } = console
  console.error = printed.take
  onTestFinished(() => void (console.error = error))
  const { url, emitter, connected } = await serveEmitter()
  const stream = createSubscriber(market, url)
  onTestFinished(() => stream.close())
  stream.on('message', () => {
    throw new Error('unseen')
  })
  await connected(1)
  void emitter.emit('message', 'a')
  expect((await printed.reach(1))[0]).toMatchObject({ code: 'handler-failed' })
})

test('an invalid payload is reported with its event and skipped; unknown events are ignored', async () => {
  const { url } = await serveTcp((socket) => {
    const block = (event: string, data: string, id: number): string => `event: ${event}\ndata: ${data}\nid: ${id}\n\n`
    socket.write(STREAM_HEAD + block('price', '{"symbol":"BTC"}', 1) + block('price', 'no json', 2) + block('prise', '{}', 3))
    socket.write(block('constructor', '{}', 4) + block('__proto__', '{}', 5) + block('price', '{"symbol":"BTC","usd":6}', 6))
  })
  const { stream, errors } = subscribe(url)
  const heard = collector<number>()
  stream.on('price', ({ usd }) => heard.take(usd))
  expect(await heard.reach(1)).toEqual([6])
  expect(errors.map(({ code, event, id }) => ({ code, event, id }))).toEqual([
    { code: 'invalid-payload', event: 'price', id: '1' },
    { code: 'invalid-payload', event: 'price', id: '2' },
  ])
  expect(errors[0]!.issues).toHaveLength(1)
  expect(errors[0]!.message).toBe('Event "price": usd: Invalid input: expected number, received undefined')
  expect(stream.lastEventId).toBe('6')
})

test('the cursor moves behind an event only when all its handlers have finished, in order', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const { stream } = subscribe(url)
  const started = collector<string>()
  const gates = new Map<string, () => void>()
  stream.on('message', (text) => {
    started.take(text)
    return new Promise<void>((resolve) => gates.set(text, resolve))
  })
  const quick = collector<string>()
  stream.on('message', (text) => quick.take(text))
  await connected(1)
  const ids: string[] = []
  for (const text of ['a', 'b', 'c']) ids.push(await emitter.emit('message', text))
  // The quick handler has had all three; the slow one works on the first.
  await quick.reach(3)
  expect(started.items).toEqual(['a'])
  const before = stream.lastEventId
  expect(ids).not.toContain(before)
  gates.get('a')!()
  await started.reach(2)
  expect(stream.lastEventId).toBe(ids[0])
  gates.get('b')!()
  await started.reach(3)
  expect(stream.lastEventId).toBe(ids[1])
})

test('what was received and not yet handled is neither lost nor repeated by a reconnection', async () => {
  const { url, emitter, cut, connected } = await serveEmitter()
  const { stream } = subscribe(url)
  const heard = collector<string>()
  let open = (): void => {}
  stream.on('message', async (text) => {
    if (text === 'a') await new Promise<void>((resolve) => (open = resolve))
    heard.take(text)
  })
  await connected(1)
  for (const text of ['a', 'b']) await emitter.emit('message', text)
  // Both have arrived when the checkpoint after them has: a connection resumes behind what it has received.
  const received = collector<string>()
  stream.on('message', (text) => received.take(text))
  await received.reach(1)
  cut()
  await connected(0)
  await emitter.emit('message', 'c')
  await connected(1)
  open()
  expect(await heard.reach(3)).toEqual(['a', 'b', 'c'])
})

test('a loop sets its own pace, and break leaves only this loop', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const { stream } = subscribe(url)
  const heard = collector<string>()
  stream.on('message', (text) => heard.take(text))
  const ids: string[] = []
  const looped: string[] = []
  const loop = (async () => {
    for await (const event of stream) {
      if (event.event === 'price') looped.push(`${event.data.symbol} ${event.data.usd}`)
      if (event.event === 'message') looped.push(event.data)
      if (looped.length === 3) break
    }
  })()
  await connected(1)
  ids.push(await emitter.emit('message', 'a'), await emitter.emit('price', price(1)), await emitter.emit('message', 'b'))
  await loop
  void emitter.emit('message', 'c')
  await heard.reach(3)
  expect(looped).toEqual(['a', 'BTC 1', 'b'])
  expect(heard.items).toEqual(['a', 'b', 'c'])
})

test('a loop ends when the subscriber is closed', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const { stream } = subscribe(url)
  const heard: string[] = []
  const loop = (async () => {
    for await (const event of stream) {
      if (event.event === 'message') heard.push(event.data)
      stream.close()
    }
  })()
  await connected(1)
  void emitter.emit('message', 'a')
  void emitter.emit('message', 'b')
  await loop
  expect(heard).toEqual(['a'])
  // What was not handled is not committed.
  expect(stream.lastEventId.endsWith('-1')).toBe(true)
})

test('a loop throws the fault that closed the stream, after the events before it', async () => {
  const { url } = await serveTcp((socket) => socket.write(`${STREAM_HEAD}data: one\n\ndata: ${'x'.repeat(5_000)}\n\n`))
  const { stream } = subscribe(url, { limits: { eventBytes: 1_000 } })
  const heard: string[] = []
  const loop = (async () => {
    for await (const event of stream) if (event.event === 'message') heard.push(event.data)
  })()
  await expect(loop).rejects.toMatchObject({ code: 'too-large' })
  expect(heard).toEqual(['one'])
})

test('a handler may add, remove and close while it handles', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const { stream } = subscribe(url)
  const heard = collector<string>()
  let offLater = (): void => {}
  stream.on('message', (text) => {
    heard.take(`first ${text}`)
    offLater()
    if (text === 'a') stream.on('message', (later) => heard.take(`added ${later}`))
    if (text === 'c') stream.close()
  })
  offLater = stream.on('message', (text) => heard.take(`removed ${text}`))
  await connected(1)
  for (const text of ['a', 'b', 'c', 'd']) void emitter.emit('message', text)
  expect(await stream.closed).toEqual({ reason: 'aborted' })
  expect(heard.items).toEqual(['first a', 'first b', 'added b', 'first c'])
})

test('refuses a name that the contract does not have', () => {
  const { stream } = subscribe('http://127.0.0.1:1/')
  expect(() => (stream.on as (event: string, handler: () => void) => void)('prise', () => {})).toThrow(
    'The contract has no event "prise". It has: price, halted, message.',
  )
})

test('refuses a handler that is no function, when it is given', () => {
  const { stream } = subscribe('http://127.0.0.1:1/')
  for (const add of [
    stream.onStatus,
    stream.onGap,
    stream.onError,
    (it: never) => stream.on('message', it),
    (it: never) => stream.once('message', it),
  ]) {
    expect(() => add({ handleEvent() {} } as never)).toThrow('A handler has to be a function; this is object.')
  }
})

test('with the types alone, text is text and the rest is read as JSON, as the server declares', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const stream = createSubscriber<Market>(url)
  onTestFinished(() => stream.close())
  const heard = collector<string | number>()
  stream.on('price', ({ usd }) => heard.take(usd + 1))
  stream.on('message', (text) => heard.take(text))
  await connected(1)
  void emitter.emit('price', price(41))
  void emitter.emit('message', '{"not":"read"}')
  expect(await heard.reach(2)).toEqual([42, '{"not":"read"}'])
})

test('reading stops while too much waits to be handled: the server sees it, ends the stalled connection, and nothing is lost', async () => {
  const { url, emitter, connected } = await serveEmitter({ heartbeat: 50, stallTimeout: 200, history: { events: 10_000, bytes: 1 << 30 } })
  const { stream, gaps } = subscribe(url, { limits: { queue: 5 } })
  const gate = Promise.withResolvers<void>()
  const heard = collector<number>()
  stream.on('message', async (text) => {
    await gate.promise
    heard.take(Number(text))
  })
  await connected(1)
  // More than the kernel takes on the way: what is not read stays with the server.
  for (let i = 1; i <= 400; i++) void emitter.emit('message', String(i).padEnd(100_000))
  await connected(0)
  gate.resolve()
  expect(await heard.reach(400)).toEqual(Array.from({ length: 400 }, (_, i) => i + 1))
  expect(gaps).toEqual([])
})
