import { expect, onTestFinished, test, vi } from 'vitest'
import * as z from 'zod'
import { defineEvents } from 'eventwire'
import { createSubscriber } from 'eventwire/client'
import { serveTcp, STREAM_HEAD } from '../../support/serve.ts'
import { collector, subscribe } from '../../support/subscribe.ts'
import { END, range } from './support.ts'

const blocks = (count: number): string =>
  range(1, count)
    .map((n) => `id: ${n}\ndata: ${n}\n\n`)
    .join('')

async function serveBlocks(count: number, end = END): Promise<string> {
  const { url } = await serveTcp((socket) => void socket.write(STREAM_HEAD + blocks(count) + end))
  return url
}

const refuse = (): never => {
  throw new Error('refused')
}

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}

/** What a program can throw, and reject with. */
const THROWN: readonly (readonly [name: string, thrown: unknown])[] = [
  ['an error', new Error('no')],
  ['text', 'no'],
  ['undefined', undefined],
  ['null', null],
  ['a symbol', Symbol('no')],
  ['a promise that never settles', new Promise(() => {})],
  ['an object without a prototype', Object.create(null)],
  ['an object whose text is no text', { toString: () => ({}) }],
  ['an error whose message cannot be had', Object.defineProperty(new Error('no'), 'message', { get: refuse })],
  ['an object that refuses everything', revoked()],
]

test.each(THROWN)(
  'a handler that throws %s is reported for each event, and neither the others nor the stream are disturbed',
  async (_, thrown) => {
    const url = await serveBlocks(3)
    const { stream, errors } = subscribe(url)
    stream.on('message', () => {
      throw thrown
    })
    const heard: string[] = []
    stream.on('message', (text) => void heard.push(text))
    expect(await stream.closed).toEqual({ reason: 'ended' })
    expect(heard).toEqual(['1', '2', '3'])
    expect(errors.map(({ code, event, id }) => [code, event, id])).toEqual(['1', '2', '3'].map((id) => ['handler-failed', 'message', id]))
    expect(errors.every(({ cause }) => cause === thrown)).toBe(true)
    expect(stream.lastEventId).toBe('3')
  },
)

test.each(THROWN)(
  'a handler that rejects with %s is reported for each event, and neither the others nor the stream are disturbed',
  async (_, thrown) => {
    const url = await serveBlocks(3)
    const { stream, errors } = subscribe(url)
    stream.on('message', () => Promise.reject(thrown))
    const heard: string[] = []
    stream.on('message', (text) => void heard.push(text))
    expect(await stream.closed).toEqual({ reason: 'ended' })
    expect([heard, stream.lastEventId]).toEqual([['1', '2', '3'], '3'])
    expect(errors.map(({ code, event, id }) => [code, event, id])).toEqual(['1', '2', '3'].map((id) => ['handler-failed', 'message', id]))
  },
)

// oxlint-disable-next-line unicorn/no-thenable -- that is what a thenable is
const thenable = (descriptor: PropertyDescriptor): object => Object.defineProperty({}, 'then', descriptor)

test.each([
  ['throws when it is asked for then', thenable({ get: refuse })],
  ['throws in then', thenable({ value: refuse })],
  ['rejects by then', thenable({ value: (_: unknown, reject: (error: Error) => void) => reject(new Error('by then')) })],
])('a handler that returns a thenable which %s is reported like one that rejects', async (_, returned) => {
  const url = await serveBlocks(2)
  const { stream, errors } = subscribe(url)
  stream.on('message', () => returned)
  const heard: string[] = []
  stream.on('message', (text) => void heard.push(text))
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect([heard, errors.map(({ code, id }) => [code, id])]).toEqual([
    ['1', '2'],
    [
      ['handler-failed', '1'],
      ['handler-failed', '2'],
    ],
  ])
})

test('a handler of once that throws has had its event, and is gone', async () => {
  const url = await serveBlocks(3)
  const { stream, errors } = subscribe(url)
  let calls = 0
  stream.once('message', () => {
    calls++
    throw new Error('once')
  })
  stream.on('message', () => {})
  await stream.closed
  expect([calls, errors.length]).toEqual([1, 1])
})

test('a listener of onError that throws stops neither the other listeners nor the stream; what it threw is said on the console', async () => {
  const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
  onTestFinished(() => printed.mockRestore())
  const url = await serveBlocks(2)
  const stream = createSubscriber(defineEvents({ message: z.string() }, { deserialize: String }), url)
  onTestFinished(() => stream.close())
  const thrown = new Error('the report failed')
  stream.onError(() => {
    throw thrown
  })
  stream.onError(() => Promise.reject(thrown))
  const told: string[] = []
  stream.onError(({ message }) => void told.push(message))
  stream.on('message', (text) => {
    throw new Error(text)
  })
  expect(await stream.closed).toEqual({ reason: 'ended' })
  await new Promise(setImmediate)
  expect(told).toEqual(['A handler of event "message" threw: 1', 'A handler of event "message" threw: 2'])
  expect(printed.mock.calls).toEqual([[thrown], [thrown], [thrown], [thrown]])
})

test('listeners of onStatus and onGap that throw are reported as such, and the stream goes on', async () => {
  const gap = 'event: $gap\ndata: {"reason":"overflow","requested":"1","oldest":"2"}\n\n'
  const { url } = await serveTcp((socket) => void socket.write(STREAM_HEAD + gap + blocks(1) + END))
  const { stream, errors, gaps } = subscribe(url)
  const failing = (what: string) => (): never => {
    throw new Error(what)
  }
  stream.onStatus(failing('status'))
  stream.onGap(failing('gap'))
  const heard: string[] = []
  stream.on('message', (text) => void heard.push(text))
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect([heard, gaps.length]).toEqual([['1'], 1])
  expect(errors.map(({ message }) => message)).toEqual([
    'A listener of onStatus threw: status',
    'A listener of onStatus threw: status',
    'A listener of onGap threw: gap',
    'A listener of onStatus threw: status',
  ])
})

test('a handler that never settles keeps its own place and nobody else’s: the others hear all, over a cut too', async () => {
  const { url } = await serveTcp((socket, attempt) => void socket.end(STREAM_HEAD + (attempt === 1 ? blocks(2) : 'id: 3\ndata: 3\n\n')))
  const { stream } = subscribe(url)
  const begun: string[] = []
  stream.on('message', (text) => {
    begun.push(text)
    return new Promise(() => {})
  })
  const heard = collector<string>()
  stream.on('message', heard.take)
  expect(await heard.reach(3)).toEqual(['1', '2', '3'])
  expect([begun, stream.lastEventId]).toEqual([['1'], ''])
})

test('asynchronous handlers that take longer for earlier events hear them in order all the same, and so does the cursor', async () => {
  const url = await serveBlocks(8)
  const { stream } = subscribe(url)
  const order: string[] = []
  const cursors: string[] = []
  for (const name of ['a', 'b']) {
    stream.on('message', async (text) => {
      order.push(`${name} begins ${text}`)
      for (let turns = 8 - Number(text); turns > 0; turns--) await new Promise(setImmediate)
      order.push(`${name} ends ${text}`)
      cursors.push(stream.lastEventId)
    })
  }
  expect(await stream.closed).toEqual({ reason: 'ended' })
  for (const name of ['a', 'b']) {
    expect(order.filter((it) => it.startsWith(name))).toEqual(range(1, 8).flatMap((n) => [`${name} begins ${n}`, `${name} ends ${n}`]))
  }
  // Never ahead of what both have finished with, and never back.
  expect(cursors).toEqual(cursors.toSorted((a, b) => Number(a) - Number(b)))
  expect(cursors.every((cursor, i) => Number(cursor) <= Math.floor(i / 2))).toBe(true)
  expect(stream.lastEventId).toBe('8')
})

test('invalid payloads are skipped by all kinds of consumers, each reported once with its event, its id and the issues', async () => {
  const send = (id: number, data: string): string => `id: ${id}\nevent: price\ndata: ${data}\n\n`
  const { url } = await serveTcp((socket) => {
    const bad = ['{"symbol":"A"}', 'no json', '', 'null', '[]', '{"symbol":1,"usd":"2"}', '{"symbol":"A","usd":1e999}'].map((data, i) =>
      send(i + 2, data),
    )
    socket.write(STREAM_HEAD + send(1, '{"symbol":"A","usd":1}') + bad.join('') + send(9, '{"symbol":"B","usd":2}') + END)
  })
  const { stream, errors } = subscribe(url)
  const heard: string[] = []
  stream.on('price', ({ symbol }) => void heard.push(`on ${symbol}`))
  stream.on('price', async ({ symbol }) => void heard.push(`async ${symbol}`))
  const loop = (async () => {
    for await (const { data } of stream.events('price')) heard.push(`loop ${data.symbol}`)
  })()
  expect(await stream.closed).toEqual({ reason: 'ended' })
  await loop
  expect(heard.sort()).toEqual(['async A', 'async B', 'loop A', 'loop B', 'on A', 'on B'])
  expect(errors.map(({ code, event, id }) => [code, event, id])).toEqual(range(2, 8).map((id) => ['invalid-payload', 'price', String(id)]))
  expect(errors.map(({ issues }) => issues?.map(({ path }) => path?.map(String)))).toEqual([
    [['usd']],
    undefined,
    undefined,
    [[]],
    [[]],
    [['symbol'], ['usd']],
    [['usd']],
  ])
  expect(stream.lastEventId).toBe('9')
})

test.each([
  [
    'throws',
    (): never => {
      throw new Error('broken schema')
    },
  ],
  ['rejects', () => Promise.reject(new Error('broken schema'))],
  [
    'throws what has no text',
    (): never => {
      throw Object.create(null) as unknown
    },
  ],
])('a schema that %s is an invalid payload like any other', async (_, validate) => {
  const url = await serveBlocks(2)
  const schema = { '~standard': { version: 1, vendor: 'test', validate } } as const
  const events = defineEvents({ message: schema }, { deserialize: String })
  const stream = createSubscriber(events, url)
  onTestFinished(() => stream.close())
  const told: unknown[] = []
  stream.onError(({ code, event, id }) => void told.push([code, event, id]))
  stream.on('message', () => {})
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(told).toEqual([
    ['invalid-payload', 'message', '1'],
    ['invalid-payload', 'message', '2'],
  ])
})

test('JSON that would change what objects are is data like any other', async () => {
  const { url } = await serveTcp((socket) => {
    socket.write(`${STREAM_HEAD}event: price\ndata: {"__proto__":{"polluted":true},"symbol":"A","usd":1,"constructor":{}}\n\n${END}`)
  })
  const { stream } = subscribe(url)
  const heard: unknown[] = []
  stream.on('price', (price) => void heard.push(price))
  await stream.closed
  expect(heard).toEqual([{ symbol: 'A', usd: 1 }])
  expect('polluted' in {}).toBe(false)
})
