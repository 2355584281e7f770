import { expect, onTestFinished, test } from 'vitest'
import { createSubscriber } from 'eventwire/client'
import { serveEmitter } from '../support/emitter.ts'
import { market, price } from '../support/market.ts'
import { response, serveTcp, STREAM_HEAD } from '../support/serve.ts'
import { collector, subscribe } from '../support/subscribe.ts'

test('a loop over one event hears no other, typed', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const { stream } = subscribe(url)
  const heard: string[] = []
  const loop = (async () => {
    for await (const { event, data, id } of stream.events('price')) {
      heard.push(`${event} ${data.symbol} ${data.usd.toFixed(1)} ${id.split('-')[1]}`)
      if (heard.length === 2) break
    }
  })()
  await connected(1)
  void emitter.emit('price', price(1))
  void emitter.emit('message', 'not for it')
  void emitter.emit('price', price(2))
  await loop
  expect(heard).toEqual(['price BTC 1.0 1', 'price BTC 2.0 3'])
})

test('several loops go each at its own pace, and break leaves only its own', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const { stream } = subscribe(url)
  const [slow, quick, all] = [collector<string>(), collector<string>(), collector<string>()]
  const gate = Promise.withResolvers<void>()
  void (async () => {
    for await (const { data } of stream.events('message')) {
      slow.take(data)
      await gate.promise
    }
  })()
  const broken = (async () => {
    for await (const { data } of stream.events('message')) {
      quick.take(data)
      if (data === 'b') break
    }
  })()
  void (async () => {
    for await (const { event } of stream) all.take(event)
  })()
  await connected(1)
  for (const text of ['a', 'b', 'c']) void emitter.emit('message', text)
  void emitter.emit('price', price(1))
  await broken
  expect(quick.items).toEqual(['a', 'b'])
  expect(await all.reach(4)).toEqual(['message', 'message', 'message', 'price'])
  expect(slow.items).toEqual(['a'])
  gate.resolve()
  expect(await slow.reach(3)).toEqual(['a', 'b', 'c'])
  expect(stream.status.state).toBe('open')
})

test('a loop over an event that the contract does not have is refused', () => {
  const { stream } = subscribe('http://127.0.0.1:1/')
  for (const name of ['prise', '']) {
    const loop = (): unknown => (stream.events as (event: string) => unknown)(name)
    expect(loop).toThrow(`The contract has no event "${name}"`)
  }
})

const END = 'event: $end\ndata: {}\n\n'
const block = (n: number): string => `id: ${n}\ndata: ${n}\n\n`

test('an iterator that nobody goes on with keeps no other loop from its end', async () => {
  const { url } = await serveTcp((socket) => socket.write(STREAM_HEAD + block(1) + block(2) + block(3) + END))
  const { stream } = subscribe(url)
  const heard: unknown[] = [(await stream.events('message').next()).value?.data]
  for await (const { data } of stream.events('message')) heard.push(data)
  expect(heard).toEqual(['1', '2', '3'])
})

test('a loop within the body of another ends with the stream', async () => {
  const halted = 'event: halted\ndata: {"symbol":"BTC","reason":"x"}\n\n'
  const { url } = await serveTcp((socket) => socket.write(STREAM_HEAD + halted + block(1) + block(2) + END))
  const { stream } = subscribe(url)
  const heard: unknown[] = []
  for await (const { event } of stream.events('halted')) {
    heard.push(event)
    for await (const { data } of stream.events('message')) heard.push(data)
  }
  expect(heard).toEqual(['halted', '1', '2'])
})

test('a web stream gives all events as fast as it is read, and ends with the stream', async () => {
  const { url } = await serveTcp((socket) => socket.write(`${STREAM_HEAD}id: 1\ndata: a\n\nid: 2\ndata: b\n\nevent: $end\ndata: {}\n\n`))
  const { stream } = subscribe(url)
  const reader = stream.toReadableStream().getReader()
  expect((await reader.read()).value).toEqual({ event: 'message', data: 'a', id: '1' })
  await new Promise(setImmediate)
  // The second has not been asked for, so the first is not finished.
  expect(stream.lastEventId).toBe('')
  expect((await reader.read()).value).toMatchObject({ data: 'b' })
  expect(await reader.read()).toEqual({ done: true, value: undefined })
  expect(stream.lastEventId).toBe('2')
})

test('a web stream that is cancelled leaves the subscriber open; one of a stream that failed fails', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const { stream } = subscribe(url)
  const web = stream.toReadableStream()
  const heard = collector<string>()
  stream.on('message', heard.take)
  await connected(1)
  await web.cancel()
  void emitter.emit('message', 'still here')
  expect(await heard.reach(1)).toEqual(['still here'])

  const refusing = await serveTcp((socket) => socket.end(response('404 Not Found')))
  const refused = subscribe(refusing.url)
  await expect(refused.stream.toReadableStream().getReader().read()).rejects.toMatchObject({ code: 'bad-status', status: 404 })
})

test('events pipe through the transforms of the web', async () => {
  const { url } = await serveTcp((socket) => socket.write(`${STREAM_HEAD}data: a\n\ndata: b\n\nevent: $end\ndata: {}\n\n`))
  const { stream } = subscribe(url)
  const upper = new TransformStream<{ data: unknown }, string>({ transform: ({ data }, to) => to.enqueue(String(data).toUpperCase()) })
  const all: string[] = []
  for await (const text of stream.toReadableStream().pipeThrough(upper)) all.push(text)
  expect(all).toEqual(['A', 'B'])
})

test('a loop that was left long ago does not swallow the fault: it goes to the console', async () => {
  const printed = collector<unknown>()
  const { error } = console
  console.error = printed.take
  onTestFinished(() => void (console.error = error))
  const { url } = await serveTcp((socket, attempt) =>
    attempt === 1 ? socket.end(`${STREAM_HEAD}${block(1)}`) : socket.end(response('404 Not Found')),
  )
  const stream = createSubscriber(market, url, { backoff: { base: 1, max: 1 } })
  for await (const { data } of stream.events('message')) {
    expect(data).toBe('1')
    break
  }
  expect((await printed.reach(1))[0]).toMatchObject({ code: 'bad-status', status: 404 })
})

test('an iterator that was returned from asks for nothing more', async () => {
  const { url, attempts } = await serveTcp((socket) => socket.write(STREAM_HEAD))
  const iterator = subscribe(url).stream.events('message')
  await iterator.return!()
  expect(await iterator.next()).toEqual({ done: true, value: undefined })
  await new Promise(setImmediate)
  expect(attempts).toEqual([])
})
