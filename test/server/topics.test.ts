import { expect, test } from 'vitest'
import { serveEmitter } from '../support/emitter.ts'
import { listen } from '../support/listen.ts'
import { price } from '../support/market.ts'

test('an event reaches those who listen to its topic, and one without a topic everybody', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const streams = {
    none: await listen(url),
    btc: await listen(`${url}?topic=BTC`),
    both: await listen(`${url}?topic=BTC&topic=ETH`),
    every: await listen(`${url}?topic=*`),
  }
  await connected(4)
  void emitter.emit('price', price(1, 'BTC'), { topic: 'BTC' })
  void emitter.emit('price', price(2, 'ETH'), { topic: 'ETH' })
  void emitter.emit('price', price(3, 'XRP'), { topic: 'XRP' })
  void emitter.emit('message', 'end')
  const heard: Record<string, string[]> = {}
  for (const [name, stream] of Object.entries(streams)) {
    await stream.until(({ events }) => events.at(-1)?.data === 'end')
    heard[name] = stream.events.map(({ data }) => (data === 'end' ? data : JSON.parse(data).symbol))
  }
  expect(heard).toEqual({ none: ['end'], btc: ['BTC', 'end'], both: ['BTC', 'ETH', 'end'], every: ['BTC', 'ETH', 'XRP', 'end'] })
})

test('topics with the names of prototype properties, with commas and with stars are topics like any other', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const names = ['__proto__', 'constructor', 'a,b', '["a"]', '']
  for (const name of names) await listen(`${url}?topic=${encodeURIComponent(name)}`)
  const streams = await Promise.all(names.map((name) => listen(`${url}?topic=${encodeURIComponent(name)}`)))
  await connected(10)
  for (const name of names) void emitter.emit('message', name, { topic: name })
  void emitter.emit('message', 'star', { topic: '*' })
  void emitter.emit('message', 'end')
  for (const [i, stream] of streams.entries()) {
    await stream.until(({ events }) => events.at(-1)?.data === 'end')
    expect(stream.events.map(({ data }) => data)).toEqual([names[i], 'end'])
  }
})

test('connections whose topics are the same in another order share what they hear', async () => {
  const { url, emitter, connected } = await serveEmitter()
  const one = await listen(`${url}?topic=a&topic=b`)
  const two = await listen(`${url}?topic=b&topic=a&topic=b`)
  await connected(2)
  void emitter.emit('message', 'once', { topic: 'b' })
  void emitter.emit('message', 'end')
  for (const stream of [one, two]) {
    await stream.until(({ events }) => events.at(-1)?.data === 'end')
    expect(stream.events.map(({ data }) => data)).toEqual(['once', 'end'])
  }
})

test('topics of a request that are no array of strings are an error of the server, told to onError and not to the client', async () => {
  const errors: string[] = []
  const { emitter } = await serveEmitter({ onError: ({ code, message }) => errors.push(`${code}: ${message}`) })
  const response = await emitter.handle(new Request('http://localhost/events'), { topics: [1] as unknown as string[] })
  expect(response.status).toBe(500)
  expect(await response.text()).toBe('The server could not open this event stream.')
  expect(errors).toEqual([`invalid-option: topics is [1]; give an array of strings, or '*' for every topic.`])
})
