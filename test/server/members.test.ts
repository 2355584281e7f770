import { expect, onTestFinished, test } from 'vitest'
import type { EventwireError } from 'eventwire'
import { createEmitter, memoryLog, publishHandler, streamEvents, type EmitterOptions } from 'eventwire/server'
import { caught } from '../support/caught.ts'
import { market, price, type Market } from '../support/market.ts'
import { serve } from '../support/serve.ts'

const emitter = createEmitter(market)
const none = (): [] => []

/** What the types refuse, and JavaScript does not. */
const wrong = (value: unknown): never => value as never

test.each<[string, () => unknown, string]>([
  [
    'an option of createEmitter',
    () => createEmitter(market, wrong({ heartbeet: 1 })),
    'createEmitter has no "heartbeet"; it takes connect, ',
  ],
  ['a hook of createEmitter', () => createEmitter(market, wrong({ onconnect: none })), 'has no "onconnect"'],
  ['a limit', () => createEmitter(market, { limits: wrong({ conections: 1 }) }), 'limits has no "conections"'],
  ['a bound of the history', () => createEmitter(market, { history: wrong({ event: 1 }) }), 'history has no "event"'],
  ['a bound of memoryLog', () => memoryLog(wrong({ size: 1 })), 'history has no "size"'],
  ['an option of cors', () => createEmitter(market, { cors: wrong({ origin: '*' }) }), 'cors has no "origin"'],
  ['an option of streamEvents', () => streamEvents(market, wrong({ snapshot: none }), none), 'streamEvents has no "snapshot"'],
  ['an option of publishHandler', () => publishHandler(emitter, wrong({ authorise: none })), 'publishHandler has no "authorise"'],
  ['__proto__', () => createEmitter(market, wrong(JSON.parse('{ "__proto__": 1 }'))), 'has no "__proto__"'],
])('%s that does not exist is refused, and named', (_what, make, message) => {
  const error = caught(make)
  expect([error.code, error.message]).toEqual(['invalid-option', expect.stringContaining(message)])
})

test.each<[string, () => unknown, string]>([
  ['null for options', () => createEmitter(market, wrong(null)), 'createEmitter takes an object with connect, '],
  ['no options where they are due', () => publishHandler(emitter, wrong(undefined)), 'publishHandler takes an object with authorize, '],
  ['no emitter', () => publishHandler(wrong(market), { authorize: () => true }), 'the emitter that createEmitter returned'],
  ['text for a hook', () => createEmitter(market, wrong({ connect: 'x' })), 'createEmitter: connect is "x"; give a function.'],
  ['a number for onError', () => createEmitter(market, wrong({ onError: 5 })), 'onError is 5'],
  ['text for limits', () => createEmitter(market, wrong({ limits: 'few' })), 'limits takes an object with connections, '],
  ['text for detach', () => createEmitter(market, wrong({ detach: 'yes' })), 'detach is "yes"; it takes true or false.'],
])('%s is refused where it is given', (_what, make, message) => {
  const error = caught(make)
  expect([error.code, error.message]).toEqual(['invalid-option', expect.stringContaining(message)])
})

test('an emitter that was not made leaves its log to the next one', () => {
  const log = memoryLog()
  expect(caught(() => createEmitter(market, { log, cors: { origins: ['nonsense'] } })).code).toBe('invalid-option')
  createEmitter(market, { log })
})

test.each([{ topics: ['BTC'] }, { Topic: 'BTC' }, 'BTC'])('emit does not send to everyone what %j meant for few', async (given) => {
  const before = emitter.stats().emits
  await expect(emitter.emit('price', price(1), wrong(given))).rejects.toMatchObject({ code: 'invalid-option' })
  expect(emitter.stats().emits).toBe(before)
})

test.each(['5s', { graceMs: 5 }, null])('close refuses %j, and closes nothing', async (given) => {
  await expect(emitter.close(wrong(given))).rejects.toMatchObject({ code: 'invalid-option' })
  await emitter.emit('price', price(1))
})

test.each<[string, EmitterOptions<Market>, object | undefined]>([
  ['a misspelt maxAge from connect', { connect: () => wrong({ topics: ['BTC'], maxage: '5s' }) }, undefined],
  ['a context that connect returns by itself', { connect: () => wrong({ user: 'ada' }) }, undefined],
  ['an array from connect', { connect: () => wrong(['BTC']) }, undefined],
  ['a misspelt option of handle', {}, { topic: 'BTC' }],
])('%s lets nobody in, and onError hears why', async (_what, options, given) => {
  const errors: EventwireError[] = []
  const guarded = createEmitter(market, { ...options, onError: (error) => void errors.push(error) })
  onTestFinished(() => guarded.close())
  const { url } = await serve((request, response) => guarded.handleNode(request, response, given))
  expect((await fetch(url)).status).toBe(500)
  expect(errors).toMatchObject([{ code: 'invalid-option' }])
})

test('a request of the wrong kind is said to be one', async () => {
  const errors: EventwireError[] = []
  const guarded = createEmitter(market, { onError: (error) => void errors.push(error) })
  const { url } = await serve((request, response) => {
    void guarded.handle(wrong(request)).then(({ status }) => response.writeHead(status).end())
  })
  expect((await fetch(url)).status).toBe(500)
  guarded.handleNode(wrong(new Request(url)), wrong(undefined))
  expect(errors.map(({ message }) => message)).toEqual([
    expect.stringContaining('handleNode(request, response)'),
    expect.stringContaining('handle(request)'),
  ])
})

test.each<[string, unknown]>([
  ['one event alone', { event: 'price', data: price(1) }],
  ['nothing', undefined],
  ['text', 'price'],
])('%s from a snapshot is said to be no events', async (_what, given) => {
  const heard = Promise.withResolvers<EventwireError>()
  const guarded = createEmitter(market, { snapshot: () => wrong(given), onError: heard.resolve })
  const { url } = await serve((request, response) => guarded.handleNode(request, response))
  await (await fetch(url)).text()
  expect((await heard.promise).message).toContain('give an array of them, or a generator')
})

test('one Response of connect may be the answer to many', async () => {
  const refusal = new Response('Not today.', { status: 403 })
  const guarded = createEmitter(market, { connect: () => refusal })
  const { url } = await serve((request, response) => guarded.handleNode(request, response))
  for (let i = 0; i < 2; i++) {
    const response = await fetch(url)
    expect([response.status, await response.text()]).toEqual([403, 'Not today.'])
  }
})
