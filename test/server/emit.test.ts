import { expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { defineEvents, EventwireError } from 'eventwire'
import { createEmitter, memoryLog } from 'eventwire/server'
import { serveEmitter } from '../support/emitter.ts'
import { listen } from '../support/listen.ts'
import { market, price } from '../support/market.ts'

/** A call to `emit` that the types would not let through. */
type Loose = (event: string, data: unknown, options?: object) => Promise<string>

const failure = async (work: Promise<unknown>): Promise<EventwireError> => {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(EventwireError)
  return error as EventwireError
}

/** Collects rejections that nobody handles, for as long as the test runs. */
function unhandledRejections(): unknown[] {
  const unhandled: unknown[] = []
  const collect = (reason: unknown): void => void unhandled.push(reason)
  process.on('unhandledRejection', collect)
  onTestFinished(() => void process.off('unhandledRejection', collect))
  return unhandled
}

test('refuses data that the schema refuses, says where, and sends nothing', async () => {
  const { url, emitter } = await serveEmitter()
  const stream = await listen(url)
  const emit = emitter.emit as Loose
  const error = await failure(emit('price', { symbol: 'BTC', usd: '64000' }))
  expect(error).toMatchObject({ code: 'invalid-payload', event: 'price' })
  expect(error.message).toBe('Event "price": usd: Invalid input: expected number, received string')
  expect(error.issues).toHaveLength(1)
  const id = await emitter.emit('price', price(1))
  expect(id.endsWith('-1')).toBe(true)
  await stream.until(({ events }) => events.length === 1)
})

test('refuses an event that the contract does not have, and lists those it has', async () => {
  const { emitter } = await serveEmitter()
  for (const name of ['prise', 'toString', '__proto__', '$ready', '']) {
    const error = await failure((emitter.emit as Loose)(name, {}))
    expect(error.code).toBe('unknown-event')
    expect(error.message).toBe(`The contract has no event ${JSON.stringify(name)}. It has: price, halted, message.`)
  }
})

test('refuses an event that clients would have to refuse for its size', async () => {
  const { emitter } = await serveEmitter({ limits: { eventBytes: 1_000 } })
  await emitter.emit('message', 'x'.repeat(1_000 - 'message'.length))
  expect(await failure(emitter.emit('message', 'x'.repeat(1_001 - 'message'.length)))).toMatchObject({
    code: 'too-large',
    event: 'message',
  })
  expect((await failure(emitter.emit('message', 'ü'.repeat(500)))).code).toBe('too-large')
})

test('refuses text that UTF-8 cannot carry', async () => {
  const { emitter } = await serveEmitter()
  expect((await failure(emitter.emit('message', 'half a pair: \ud83d'))).code).toBe('invalid-message')
  expect((await emitter.emit('message', 'a whole one: \ud83d\ude00')).endsWith('-1')).toBe(true)
})

test('refuses a topic that is no string, and above all one that is missing: what was meant for few must not go to all', async () => {
  const { emitter } = await serveEmitter()
  const emit = emitter.emit as (event: string, data: string, options: unknown) => Promise<string>
  for (const options of [{ topic: 7 }, { topic: undefined }, { topic: null }, 'BTC', 7]) {
    expect(await failure(emit('message', 'x', options))).toMatchObject({ code: 'invalid-option' })
  }
  for (const options of [undefined, null, {}]) await emit('message', 'x', options)
})

test('refuses to emit after close', async () => {
  const emitter = createEmitter(market)
  await emitter.close()
  expect((await failure(emitter.emit('message', 'x'))).code).toBe('emitter-closed')
})

test('has the event in the log before emit returns', () => {
  const log = memoryLog()
  const emitter = createEmitter(market, { log })
  void emitter.emit('message', 'x')
  expect(log.head).toBe(1)
})

test('a failed emit that nobody awaits goes to onError and is never an unhandled rejection', async () => {
  const unhandled = unhandledRejections()
  const heard = Promise.withResolvers<EventwireError>()
  const { emitter } = await serveEmitter({ onError: heard.resolve })
  void (emitter.emit as Loose)('price', { symbol: 'BTC' })
  expect((await heard.promise).code).toBe('invalid-payload')
  await new Promise(setImmediate)
  expect(unhandled).toEqual([])
})

test('a failed emit that is awaited is told to its caller alone', async () => {
  const heard: unknown[] = []
  const { emitter } = await serveEmitter({ onError: (error) => heard.push(error) })
  const emit = emitter.emit as Loose
  await failure(emit('price', {}))
  await failure(Promise.all([emit('price', {}), emitter.emit('message', 'x')]))
  const caught = await emit('price', {}).catch((error: EventwireError) => error.code)
  await new Promise(setImmediate)
  expect(caught).toBe('invalid-payload')
  expect(heard).toEqual([])
})

test('an onError that throws, and hooks that throw, harm nobody', async () => {
  const unhandled = unhandledRejections()
  const printed: unknown[] = []
  const { error } = console
  console.error = (...args: unknown[]) => void printed.push(...args)
  onTestFinished(() => void (console.error = error))
  const { url, emitter } = await serveEmitter({
    onError: () => {
      throw new Error('onError is broken')
    },
    onConnect: () => {
      throw new Error('onConnect is broken')
    },
  })
  void (emitter.emit as Loose)('price', {})
  const stream = await listen(url)
  void emitter.emit('message', 'lives on')
  await stream.until(({ events }) => events.length === 1)
  expect(printed.map(String)).toEqual(['Error: onError is broken', 'Error: onError is broken'])
  expect(unhandled).toEqual([])
})

test('a hook that rejects goes to onError like one that throws', async () => {
  const unhandled = unhandledRejections()
  const heard = Promise.withResolvers<EventwireError>()
  const emitter = createEmitter(market, {
    onError: heard.resolve,
    onConnect: async () => {
      throw new Error('no database')
    },
  })
  const reader = (await emitter.handle(new Request('http://localhost/events'))).body!.getReader()
  await reader.read()
  expect(await heard.promise).toMatchObject({ code: 'hook-failed', message: 'The hook onConnect failed: no database' })
  await new Promise(setImmediate)
  expect(unhandled).toEqual([])
  await emitter.close()
})

test('keeps the order of the calls when schemas are asynchronous', async () => {
  const gates: (() => void)[] = []
  const slow = z.string().refine(async (value) => {
    if (value.startsWith('slow')) await new Promise<void>((resolve) => gates.push(resolve))
    return !value.includes('bad')
  })
  const log = memoryLog()
  const events = defineEvents({ slow, quick: z.string() })
  const emitter = createEmitter(events, { log })
  const ids = ['slow 1', 'slow bad', 'slow 2'].map((text) => emitter.emit('slow', text))
  ids.push(emitter.emit('quick', 'last'))
  while (gates.length < 3) await new Promise(setImmediate)
  expect(log.head).toBe(0)
  const order: number[] = []
  const settled = ids.map((id, i) =>
    id.then(
      () => order.push(i),
      () => order.push(-1),
    ),
  )
  for (const open of gates.splice(0).reverse()) open()
  // The first success of an event is validated twice, to see that its schema accepts its own output.
  while (order.length < 4) {
    for (const open of gates.splice(0).reverse()) open()
    await new Promise(setImmediate)
  }
  await Promise.all(settled)
  const written = new TextDecoder().decode(log.read({ after: 0, bytes: Infinity }, '*')!.bytes)
  const texts = [...written.matchAll(/^data: (.*)$/gm)].map(([, text]) => text)
  expect(texts).toEqual(['"slow 1"', '"slow 2"', '"last"'])
  expect(order.filter((i) => i >= 0)).toEqual([0, 2, 3])
})

test.each([
  ['heartbeat', { heartbeat: 0 }],
  ['heartbeat', { heartbeat: Infinity }],
  ['retry', { retry: -1 }],
  ['highWaterMark', { highWaterMark: 0 }],
  ['stallTimeout', { stallTimeout: NaN }],
  ['limits.eventBytes', { limits: { eventBytes: 1.5 } }],
  ['history.events', { history: { events: -1 } }],
  ['history.bytes', { history: { bytes: NaN } }],
  ['history.age', { history: { age: '10 minutes' as '10m' } }],
  ['topics', { topics: 'BTC' as '*' }],
  ['log', { log: memoryLog(), history: {} }],
])('refuses a bad option and names it: %s', (name, options) => {
  let error: unknown
  try {
    createEmitter(market, options)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toMatchObject({ code: 'invalid-option' })
  expect((error as Error).message).toContain(name)
})

test('refuses something that is no contract', () => {
  expect(() => createEmitter({ price: z.string() } as never)).toThrow('createEmitter takes the contract that defineEvents returned.')
})

test('refuses a log that another emitter holds, and takes it when that has closed', async () => {
  const log = memoryLog()
  const first = createEmitter(market, { log })
  expect(() => createEmitter(market, { log })).toThrow('This log belongs to another emitter')
  await first.close()
  createEmitter(market, { log })
})
