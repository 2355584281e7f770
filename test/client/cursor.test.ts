import { expect, onTestFinished, test } from 'vitest'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import * as z from 'zod'
import { defineEvents } from 'eventwire'
import { createSubscriber } from 'eventwire/client'
import { scripted } from '../support/serve.ts'
import { collector, subscribe } from '../support/subscribe.ts'

const block = (n: number): string => `id: e-${n}\ndata: ${n}\n\n`
const GAP = 'event: $gap\ndata: {"reason":"overflow","requested":"e-2","oldest":"e-9"}\n\n'

test('does not pass an event that waited for a handler which was removed', async () => {
  const { url, write } = await scripted()
  const { stream } = subscribe(url)
  const begun = collector<string>()
  let finish = (): void => {}
  const off = stream.on('message', (text) => {
    begun.take(text)
    return new Promise<void>((resolve) => (finish = resolve))
  })
  await write(`${block(1)}${block(2)}id: e-3\n\n`)
  await begun.reach(1)
  off()
  finish()
  const rest = collector<string>()
  await new Promise(setImmediate)
  expect(stream.lastEventId).toBe('e-1')
  stream.on('message', rest.take)
  expect(await rest.reach(1)).toEqual(['2'])
  expect(stream.lastEventId).toBe('e-3')
})

test('does not pass what a loop left behind', async () => {
  const { url, write } = await scripted()
  const { stream } = subscribe(url)
  void write(`${block(1)}${block(2)}id: e-3\n\n`)
  for await (const { id } of stream) {
    expect(id).toBe('e-1')
    break
  }
  await new Promise(setImmediate)
  expect(stream.lastEventId).toBe('e-1')
})

test('an event is heard once by a handler, in whatever order handlers are removed', async () => {
  const { url, write } = await scripted()
  const { stream } = subscribe(url)
  const heard = collector<string>()
  const offQuick = stream.on('message', heard.take)
  const offSlow = stream.on('message', () => new Promise<void>(() => {}))
  await write(block(1) + block(2) + block(3))
  await heard.reach(3)
  offQuick()
  offSlow()
  stream.on('message', heard.take)
  await write(block(4))
  expect(await heard.reach(4)).toEqual(['1', '2', '3', '4'])
})

test('a gap is told behind what came before it, slow handlers included', async () => {
  const { url, write } = await scripted()
  const { stream } = subscribe(url)
  const told = collector<string>()
  stream.on('message', async (text) => {
    told.take(text)
    await new Promise(setImmediate)
  })
  stream.onGap(({ reason }) => told.take(reason))
  await write(block(1) + block(2) + GAP + block(9))
  expect(await told.reach(4)).toEqual(['1', '2', 'overflow', '9'])
})

test('a gap that nobody listens for is said on the console', async () => {
  const said = collector<unknown>()
  const { warn } = console
  console.warn = said.take
  onTestFinished(() => void (console.warn = warn))
  const { url, write } = await scripted()
  const stream = createSubscriber(url)
  onTestFinished(() => stream.close())
  stream.on('message', () => {})
  await write(GAP)
  expect((await said.reach(1))[0]).toBe('eventwire: events may have been lost (overflow), and nobody listens with onGap.')
})

/** A schema that is asked, and answers when the test says so. */
function slowSchema() {
  const asked = collector<() => void>()
  const validate = (value: unknown): Promise<{ value: string }> =>
    new Promise((resolve) => asked.take(() => resolve({ value: String(value) })))
  const schema: StandardSchemaV1<string> = { '~standard': { version: 1, vendor: 'test', validate } }
  return { events: defineEvents({ message: schema }, { deserialize: String }), asked }
}

test('an event under validation when its only handler leaves waits for the next', async () => {
  const { url, write } = await scripted()
  const { events, asked } = slowSchema()
  const stream = createSubscriber(events, url)
  onTestFinished(() => stream.close())
  const off = stream.on('message', () => {})
  await write(block(1))
  const [answer] = await asked.reach(1)
  off()
  answer!()
  await new Promise(setImmediate)
  expect(stream.lastEventId).toBe('')
  const heard = collector<string>()
  stream.on('message', heard.take)
  expect(await heard.reach(1)).toEqual(['1'])
})

test('an event under validation when the subscriber is closed is neither handled nor committed', async () => {
  const { url, write } = await scripted()
  const { events, asked } = slowSchema()
  const stream = createSubscriber(events, url)
  const heard: string[] = []
  stream.on('message', (text) => heard.push(text))
  await write(block(1))
  const [answer] = await asked.reach(1)
  stream.close()
  answer!()
  await new Promise(setImmediate)
  expect([heard, stream.lastEventId]).toEqual([[], ''])
})

test('does not pass what waits when the report of an invalid event removes the last handler', async () => {
  const { url, write } = await scripted()
  const events = defineEvents({ message: z.string().regex(/^\d$/) }, { deserialize: String })
  const stream = createSubscriber(events, url)
  onTestFinished(() => stream.close())
  const heard: string[] = []
  const off = stream.on('message', (text) => heard.push(text))
  const reported = collector<string>()
  stream.onError(({ id }) => {
    off()
    reported.take(id!)
  })
  await write(`id: e-1\ndata: bad\n\n${block(2)}id: e-3\n\n`)
  expect(await reported.reach(1)).toEqual(['e-1'])
  await new Promise(setImmediate)
  expect([heard, stream.lastEventId]).toEqual([[], 'e-1'])
  const rest = collector<string>()
  stream.on('message', rest.take)
  expect(await rest.reach(1)).toEqual(['2'])
  expect(stream.lastEventId).toBe('e-3')
})

test('an invalid event is reported once, however many handlers there are, in its turn', async () => {
  const { url, write } = await scripted()
  const { stream, errors } = subscribe(url)
  const told = collector<string>()
  const gate = Promise.withResolvers<void>()
  stream.on('price', () => {})
  stream.on('price', ({ symbol }) => {
    told.take(symbol)
    return gate.promise
  })
  stream.onError(({ event }) => told.take(`invalid ${event}`))
  await write('event: price\ndata: {"symbol":"A","usd":1}\n\nevent: price\ndata: {}\n\nevent: price\ndata: {"symbol":"B","usd":1}\n\n')
  gate.resolve()
  expect(await told.reach(3)).toEqual(['A', 'invalid price', 'B'])
  expect(errors).toHaveLength(1)
})

test('keeps the order when handlers change while an asynchronous schema looks at a later event', async () => {
  const { url, write } = await scripted()
  const { events, asked } = slowSchema()
  const stream = createSubscriber(events, url)
  onTestFinished(() => stream.close())
  const off = stream.on('message', () => {})
  await write(block(1) + block(2) + block(3))
  ;(await asked.reach(1))[0]!()
  const second = (await asked.reach(2))[1]!
  off()
  const heard = collector<string>()
  stream.on('message', heard.take)
  second()
  ;(await asked.reach(3))[2]!()
  expect(await heard.reach(2)).toEqual(['2', '3'])
  await new Promise(setImmediate)
  expect(stream.lastEventId).toBe('e-3')
})

test('an event that waited for a handler goes to the one that takes its place', async () => {
  const { url, write } = await scripted()
  const { stream } = subscribe(url)
  const heard = collector<string>()
  const gate = Promise.withResolvers<void>()
  const off = stream.on('message', (text) => {
    heard.take(`old ${text}`)
    return gate.promise
  })
  const arrived = collector<string>()
  stream.on('price', ({ symbol }) => arrived.take(symbol))
  await write(`${block(1)}${block(2)}`)
  await heard.reach(1)
  stream.on('message', (text) => heard.take(`new ${text}`))
  off()
  gate.resolve()
  await write(block(3))
  expect(await heard.reach(3)).toEqual(['old 1', 'new 2', 'new 3'])
})
