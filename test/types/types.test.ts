import { describe, expect, test } from 'vitest'
import { compile } from './compile.ts'

/** What each source may import from `market.ts`. */
const MARKET = `
import { defineEvents, text } from 'eventwire'
import { createSubscriber } from 'eventwire/client'
import { createEmitter } from 'eventwire/server'
import * as z from 'zod'

export const market = defineEvents({
  price: z.object({ symbol: z.string(), usd: z.number() }),
  halted: z.object({ symbol: z.string(), reason: z.string() }),
  message: text(),
})
export const emitter = createEmitter(market)
export const stream = createSubscriber(market, '/events')
/** The form that puts no schema into a bundle. */
export const light = createSubscriber<typeof market>('/events')

export type Price = { symbol: string; usd: number }
export type Halted = { symbol: string; reason: string }

/** Compiles only for true. */
export type Expect<T extends true> = T
export type IsAny<T> = 0 extends 1 & T ? true : false
export type IsUnknown<T> = IsAny<T> extends true ? false : unknown extends T ? true : false
/** The same type, and not merely assignable both ways: any equals only any. */
export type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
`

/** The sources that the tests state, by name. */
const sources = new Map([['market.ts', MARKET]])
let diagnosed: Promise<ReadonlyMap<string, readonly string[]>> | undefined

test('a contract, an emitter and two subscribers compile', async () => {
  expect(await diagnose('market.ts')).toEqual([])
})

describe('the name of an event', () => {
  const anotherName = `Argument of type '"prise"' is not assignable to parameter of type '"halted" | "message" | "price"'.`

  refuses('is checked by emit', `void emitter.emit('prise', { symbol: 'BTC', usd: 1 })`, anotherName)
  refuses('is checked by on', `stream.on('prise', () => {})`, anotherName)
  refuses('is checked by once', `stream.once('prise', () => {})`, anotherName)
  refuses('is checked by on, with types alone', `light.on('prise', () => {})`, anotherName)
  refuses(
    'is checked by send',
    `createEmitter(market, { onConnect: (connection) => void connection.send('prise', { symbol: 'BTC', usd: 1 }) })`,
    anotherName,
  )
  refuses(
    'is checked where an event is looked at',
    `for await (const event of stream) if (event.event === 'prise') break`,
    `This comparison appears to be unintentional because the types '"halted" | "message" | "price"' and '"prise"' have no overlap.`,
  )
  refuses(
    'is checked in the types of its data',
    `export type Prise = EventData<typeof market, 'prise'>`,
    `Type '"prise"' does not satisfy the constraint '`,
  )
  refuses(
    'is checked among the ends of a contract',
    `defineEvents({ done: text() }, { ends: ['dome'] })`,
    `Type '"dome"' is not assignable to type 'TerminalEvent<"done">'.`,
  )
  refuses(
    'cannot be a string that nobody knows',
    `declare const name: string; stream.on(name, () => {})`,
    `Argument of type 'string' is not assignable to parameter of type '"halted" | "message" | "price"'.`,
  )
  accepts('is a union of literals', `export type Proof = Expect<Equal<EventName<typeof market>, 'price' | 'halted' | 'message'>>`)
  accepts(
    'may be one that objects inherit',
    `const odd = defineEvents({ constructor: text(), ['__proto__']: text() })
     void createEmitter(odd).emit('constructor', 'x')
     void createEmitter(odd).emit('__proto__', 'x')`,
  )
})

describe('the log of an emitter', () => {
  accepts(
    'is one, or several as one',
    `import { redisLog, type RedisLog } from 'eventwire/redis'
     import { memoryLog, type ShardedLog } from 'eventwire/server'
     const one: RedisLog = redisLog({ url: 'redis://127.0.0.1' })
     const several: ShardedLog = redisLog({ url: 'redis://127.0.0.1', shards: 4 })
     createEmitter(market, { log: one })
     createEmitter(market, { log: several })
     createEmitter(market, { log: { shards: [memoryLog(), memoryLog()], shardOf: (topic) => (topic === undefined ? 0 : 1) } })
     declare const either: RedisLog | ShardedLog
     createEmitter(market, { log: either })`,
  )
  refuses(
    'that has shards is none of its own',
    `import { redisLog, type RedisLog } from 'eventwire/redis'; export const log: RedisLog = redisLog({ url: 'redis://127.0.0.1', shards: 4 })`,
    `Type 'ShardedLog' is missing the following properties from type 'RedisLog'`,
  )
})

describe('what emit and send take', () => {
  accepts(
    'is the input of the schema',
    `const id: Promise<string> = emitter.emit('price', { symbol: 'BTC', usd: 1 }, { topic: 'BTC' })
     void emitter.emit('message', 'hello')
     createEmitter(market, {
       onConnect(connection) {
         const sent: Promise<boolean> = connection.send('price', { symbol: 'BTC', usd: 1 })
       },
     })`,
  )
  refuses(
    'is refused with a field of another type',
    `void emitter.emit('price', { symbol: 'BTC', usd: '1' })`,
    `Type 'string' is not assignable to type 'number'.`,
  )
  refuses(
    'is refused by send with a field of another type',
    `createEmitter(market, { onConnect: (connection) => void connection.send('price', { symbol: 'BTC', usd: '1' }) })`,
    `Type 'string' is not assignable to type 'number'.`,
  )
  refuses(
    'is refused without a field',
    `void emitter.emit('price', { symbol: 'BTC' })`,
    `Argument of type '{ symbol: string; }' is not assignable to parameter of type '{ symbol: string; usd: number; }'. ` +
      `Property 'usd' is missing in type '{ symbol: string; }' but required in type '{ symbol: string; usd: number; }'.`,
  )
  refuses(
    'is refused with a field too many',
    `void emitter.emit('price', { symbol: 'BTC', usd: 1, volume: 2 })`,
    `Object literal may only specify known properties, and 'volume' does not exist in type '{ symbol: string; usd: number; }'.`,
  )
  refuses(
    'is refused when it belongs to another event',
    `void emitter.emit('halted', { symbol: 'BTC', usd: 1 })`,
    `Object literal may only specify known properties, and 'usd' does not exist in type '{ symbol: string; reason: string; }'.`,
  )
  refuses('cannot be left out', `void emitter.emit('price')`, 'Expected 2-3 arguments, but got 1.')
  refuses(
    'is text for raw text',
    `void emitter.emit('message', { symbol: 'BTC' })`,
    `Argument of type '{ symbol: string; }' is not assignable to parameter of type 'string'.`,
  )
  refuses(
    'comes with options by their names',
    `void emitter.emit('message', 'hello', { topics: ['BTC'] })`,
    `Object literal may only specify known properties, but 'topics' does not exist in type 'EmitOptions'. Did you mean to write 'topic'?`,
  )
})

describe('what handlers get', () => {
  accepts(
    'is the output of the schema, and the event',
    `stream.on('price', (price, event) => {
       type Proof = [
         Expect<Equal<typeof price, Price>>,
         Expect<Equal<typeof event, { readonly event: 'price'; readonly data: Price; readonly id: string }>>,
       ]
     })
     stream.once('halted', (halted) => {
       type Proof = Expect<Equal<typeof halted, Halted>>
     })
     const off: () => void = stream.on('message', async (line) => {
       type Proof = Expect<Equal<typeof line, string>>
     })`,
  )
  accepts(
    'is the same with types alone',
    `light.on('price', (price, event) => {
       type Proof = [Expect<Equal<typeof price, Price>>, Expect<Equal<typeof event.data, Price>>]
     })
     for await (const event of light) {
       type Proof = Expect<Equal<typeof event, EventOf<typeof market>>>
     }`,
  )
  refuses(
    'has no other properties',
    `stream.on('price', (price) => price.volume)`,
    `Property 'volume' does not exist on type '{ symbol: string; usd: number; }'.`,
  )
  refuses(
    'has no other properties, with types alone',
    `light.on('price', (price) => price.volume)`,
    `Property 'volume' does not exist on type '{ symbol: string; usd: number; }'.`,
  )
  refuses(
    'is not what a handler of another type takes',
    `stream.on('price', (price: string) => price)`,
    `Types of parameters 'price' and 'data' are incompatible. Type '{ symbol: string; usd: number; }' is not assignable to type 'string'.`,
  )
  refuses('is raw text for raw text', `stream.on('message', (line) => line.symbol)`, `Property 'symbol' does not exist on type 'string'.`)
  refuses(
    'comes as an event of that name alone',
    `stream.on('price', (_, event) => event.event === 'halted')`,
    `This comparison appears to be unintentional because the types '"price"' and '"halted"' have no overlap.`,
  )
  refuses(
    'cannot be changed for the next handler',
    `stream.on('price', (_, event) => { event.id = '' })`,
    `Cannot assign to 'id' because it is a read-only property.`,
  )
})

describe('a loop over the stream', () => {
  accepts(
    'gives the union of all events, which its name narrows, and leaves none out',
    `for await (const event of stream) {
       type Proof = [Expect<Equal<typeof event, EventOf<typeof market>>>, Expect<Equal<typeof event.id, string>>]
       switch (event.event) {
         case 'price': {
           type Proof = Expect<Equal<typeof event.data, Price>>
           break
         }
         case 'halted': {
           type Proof = Expect<Equal<typeof event.data, Halted>>
           break
         }
         case 'message': {
           type Proof = Expect<Equal<typeof event.data, string>>
           break
         }
         default:
           event satisfies never
       }
     }`,
  )
  refuses(
    'has in each case only what that event has',
    `for await (const event of stream) {
       switch (event.event) {
         case 'price':
           event.data.usd.toFixed(2)
           break
         case 'halted':
           event.data.usd.toFixed(2)
       }
     }`,
    `line 7: Property 'usd' does not exist on type '{ symbol: string; reason: string; }'.`,
  )
  refuses(
    'does not know the data before it has looked at the name',
    `for await (const event of stream) event.data.usd`,
    `Property 'usd' does not exist on type 'string'.`,
  )
})

describe('a schema that transforms', () => {
  const contract = `const trades = defineEvents({
    trade: z.object({ at: z.coerce.date<string | Date>(), venue: z.string().default('XETR'), note: z.string().optional() }),
  })`

  accepts(
    'has its input at emit and its output at on',
    `${contract}
     type In = EventInput<typeof trades, 'trade'>
     type Out = EventData<typeof trades, 'trade'>
     type Proof = [
       Expect<Equal<In, { at: string | Date; venue?: string | undefined; note?: string | undefined }>>,
       Expect<Equal<Out, { at: Date; venue: string; note?: string | undefined }>>,
     ]
     void createEmitter(trades).emit('trade', { at: '2026-01-02' })
     createSubscriber(trades, '/trades').on('trade', ({ at, venue }) => [at.getTime(), venue.length])`,
  )
  refuses(
    'does not give its input to on',
    `${contract}
     createSubscriber(trades, '/trades').on('trade', ({ at }) => at.slice(0, 10))`,
    `Property 'slice' does not exist on type 'Date'.`,
  )
})

describe('with types alone, where nothing is transformed', () => {
  const contract = `const trades = defineEvents({
    trade: z.object({ at: z.coerce.date(), sums: z.map(z.string(), z.number()), legs: z.array(z.object({ at: z.date().optional() })), note: z.unknown() }),
  })
  const untold = createSubscriber<typeof trades>('/trades')`

  accepts(
    'data is what JSON gives',
    `${contract}
     type Trade = { at: string; sums: Record<string, never>; legs: { at?: string | undefined }[]; note: unknown }
     untold.on('trade', (trade) => {
       type Proof = Expect<Equal<typeof trade, Trade>>
     })`,
  )
  accepts(
    'brands, any JSON and recursive types stay what they are',
    `interface Tree { name: string; kids: Tree[] }
     const odd = defineEvents({ odd: z.object({ id: z.string().brand<'Id'>(), n: z.number().brand<'N'>(), json: z.json() }), tree: z.custom<Tree>() })
     const told = createSubscriber<typeof odd>('/odd')
     told.on('odd', ({ id, n, json }) => {
       const plain: [string, number, z.util.JSONType] = [id, n, json]
       return plain
     })
     told.on('tree', (tree) => {
       const same: Tree = tree
       return same
     })`,
  )
  refuses(
    'a date is text',
    `${contract}
     untold.on('trade', ({ at }) => at.getTime())`,
    `Property 'getTime' does not exist on type 'string'.`,
  )
})

describe('no type degrades', () => {
  accepts(
    'to any or unknown, for any event',
    `type None = { price: false; halted: false; message: false }
     type Names = EventName<typeof market>
     export type Proof = [
       Expect<Equal<{ [N in Names]: IsAny<EventInput<typeof market, N>> }, None>>,
       Expect<Equal<{ [N in Names]: IsUnknown<EventInput<typeof market, N>> }, None>>,
       Expect<Equal<{ [N in Names]: IsAny<EventData<typeof market, N>> }, None>>,
       Expect<Equal<{ [N in Names]: IsUnknown<EventData<typeof market, N>> }, None>>,
       Expect<Equal<EventInput<typeof market, 'message'>, string>>,
       Expect<Equal<EventData<typeof market, 'message'>, string>>,
       Expect<Equal<EventOf<typeof market, 'message'>, { readonly event: 'message'; readonly data: string; readonly id: string }>>,
     ]`,
  )
  accepts(
    'with zod/mini, valibot or arktype',
    `import { type } from 'arktype'
     import * as v from 'valibot'
     import * as zm from 'zod/mini'
     const contracts = defineEvents({
       mini: zm.object({ symbol: zm.string(), usd: zm.number() }),
       valibot: v.object({ symbol: v.string(), usd: v.number() }),
       arktype: type({ symbol: 'string', usd: 'number' }),
     })
     type Names = EventName<typeof contracts>
     export type Proof = [
       Expect<Equal<{ [N in Names]: EventInput<typeof contracts, N> }, { mini: Price; valibot: Price; arktype: Price }>>,
       Expect<Equal<{ [N in Names]: EventData<typeof contracts, N> }, { mini: Price; valibot: Price; arktype: Price }>>,
     ]`,
  )
  refuses('without these tests finding out: any', `export type Proof = Expect<Equal<any, string>>`, notTrue())
  refuses('without these tests finding out: unknown', `export type Proof = Expect<Equal<unknown, string>>`, notTrue())
  refuses('without these tests finding out: any in a field', `export type Proof = Expect<Equal<{ usd: any }, { usd: number }>>`, notTrue())
  refuses('without these tests finding out: any is no unknown', `export type Proof = Expect<IsUnknown<any>>`, notTrue())
  refuses('without these tests finding out: a string is no any', `export type Proof = Expect<IsAny<string>>`, notTrue())
})

describe('a contract', () => {
  refuses(
    'takes schemas and not examples',
    `defineEvents({ price: { symbol: 'BTC' } })`,
    `Object literal may only specify known properties, and 'symbol' does not exist in type 'StandardSchemaV1<unknown, unknown>'.`,
  )
  refuses(
    'is what createEmitter takes, and not its schemas',
    `createEmitter({ price: z.number() })`,
    `'price' does not exist in type 'Contract<`,
  )
  refuses('cannot be changed', `market.schemas.message = text()`, `Cannot assign to 'message' because it is a read-only property.`)
  accepts(
    'can be taken by a function that knows none of its events',
    `const names = (contract: Contract): string[] => Object.keys(contract.schemas)
     names(market)`,
  )
})

describe('the ends of a contract', () => {
  const chat = `const chat = defineEvents(
    { message: z.object({ token: z.string() }), failed: z.object({ reason: z.string() }) },
    { ends: ['failed', { event: 'message', data: '[DONE]' }] },
  )`

  accepts(
    'are names of its events, and marks, which change nothing of the data',
    `${chat}
     const answer = createSubscriber(chat, '/chat', { body: '{}' })
     for await (const { data, event, id } of answer.events('message')) {
       type Proof = [Expect<Equal<typeof data, { token: string }>>, Expect<Equal<typeof event, 'message'>>, Expect<Equal<typeof id, string>>]
     }
     answer.on('message', (data) => {
       type Proof = Expect<Equal<typeof data, { token: string }>>
     })`,
  )
  accepts(
    'may be made elsewhere',
    `import type { TerminalEvent } from 'eventwire'
     const ends: readonly TerminalEvent<'message'>[] = ['message', { event: 'message', data: '[DONE]' }]
     defineEvents({ message: text() }, { ends })`,
  )
  refuses(
    'name no event that it does not have, by a mark either',
    `defineEvents({ message: text() }, { ends: [{ event: 'massage', data: '[DONE]' }] })`,
    `Type '"massage"' is not assignable to type '"message"'.`,
  )
  refuses(
    'have no mark without its text',
    `defineEvents({ message: text() }, { ends: [{ event: 'message' }] })`,
    `Property 'data' is missing in type '{ event: "message"; }' but required in type '{ readonly event: "message"; readonly data: string; }'.`,
  )
  refuses(
    'have no mark that is not text, for it is looked at before it is read',
    `defineEvents({ message: z.object({ done: z.boolean() }) }, { ends: [{ event: 'message', data: { done: true } }] })`,
    `Type '{ done: true; }' is not assignable to type 'string'.`,
  )
  refuses(
    'cannot be changed',
    `${chat}; chat.ends.push('failed')`,
    `Property 'push' does not exist on type 'readonly TerminalEvent<string>[]'.`,
  )
})

describe('handle and handleNode', () => {
  accepts(
    'take the requests and responses of node, over http and http2',
    `import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
     import * as https from 'node:https'
     import * as http2 from 'node:http2'
     createServer((request, response) => emitter.handleNode(request, response))
     https.createServer((request, response) => emitter.handleNode(request, response))
     http2.createServer((request, response) => emitter.handleNode(request, response))
     http2.createSecureServer({}, (request, response) => emitter.handleNode(request, response, { topics: '*' }))
     export const route = (request: IncomingMessage, response: ServerResponse): void => emitter.handleNode(request, response)
     export const route2 = (request: http2.Http2ServerRequest, response: http2.Http2ServerResponse): void => emitter.handleNode(request, response)`,
  )
  accepts(
    'take the requests of the web and give its responses',
    `export const GET = (request: Request): Promise<Response> => emitter.handle(request, { topics: ['BTC'] })`,
  )
  refuses(
    'do not take request and response in the wrong order',
    `import type { IncomingMessage, ServerResponse } from 'node:http'
     export const route = (request: IncomingMessage, response: ServerResponse): void => emitter.handleNode(response, request)`,
    `Argument of type 'ServerResponse<IncomingMessage>' is not assignable to parameter of type 'NodeRequest'.`,
  )
  refuses(
    'do not take the request of the web for one of node',
    `export const GET = (request: Request): void => emitter.handleNode(request)`,
    'Expected 2-3 arguments, but got 1.',
  )
})

describe('the context of connect', () => {
  accepts(
    'is what the hooks get, whatever way connect gives it',
    `createEmitter(market, {
       connect: async (request) =>
         request.headers.has('cookie') ? { topics: ['BTC'], maxAge: '15m', context: { user: 'ada', admin: false } } : new Response(null, { status: 401 }),
       onConnect(connection) {
         type _ = Expect<Equal<typeof connection.context, { user: string; admin: boolean }>>
       },
       onGap: (connection) => connection.context.user.length,
       snapshot: (connection) => [{ event: 'message', data: connection.context.user }],
     })`,
  )
  accepts(
    'is nothing without connect, or when connect gives none',
    `createEmitter(market, {
       onConnect(connection) {
         type _ = Expect<Equal<typeof connection.context, undefined>>
       },
     })
     createEmitter(market, {
       connect: (request) => ({ topics: [request.url] }),
       onConnect(connection) {
         type _ = Expect<Equal<typeof connection.context, undefined>>
       },
     })
     createEmitter(market, { connect: () => {} })`,
  )
  accepts(
    'is what a generator gets',
    `streamEvents(market, { connect: () => ({ context: { user: 'ada' } }) }, async function* (request) {
       type _ = Expect<Equal<typeof request.context, { user: string }>>
       yield { event: 'message', data: request.context.user, id: '1' }
     })
     streamEvents(market, async function* (request) {
       type _ = Expect<Equal<typeof request.context, undefined>>
       yield { event: 'price', data: { symbol: 'BTC', usd: 1 } }
     })`,
  )
  refuses(
    'has no more than connect gave',
    `createEmitter(market, { connect: () => ({ context: { user: 'ada' } }), onConnect: (connection) => void connection.context.role })`,
    `Property 'role' does not exist on type '{ user: string; }'.`,
  )
  refuses(
    'cannot be left out by a way through connect that gives nothing',
    `createEmitter(market, {
       connect: (request) => {
         if (!request.headers.has('cookie')) return
         return { context: { user: 'ada' } }
       },
       onConnect: (connection) => void connection.context.user,
     })`,
    /is not assignable to type/,
  )
  refuses(
    'cannot be left out by one way through connect',
    `createEmitter<typeof market, { user: string }>(market, { connect: () => ({ topics: [] }) })`,
    `Property 'context' is missing`,
  )
})

describe('what snapshots and streams give', () => {
  refuses(
    'is an event of the contract',
    `createEmitter(market, { snapshot: () => [{ event: 'prise', data: { symbol: 'BTC', usd: 1 } }] })`,
    `Type '"prise"' is not assignable to type `,
  )
  refuses(
    'has the data of that event',
    `createEmitter(market, { snapshot: () => [{ event: 'price', data: { symbol: 'BTC', reason: '' } }] })`,
    `Property 'usd' is missing in type '{ symbol: string; reason: string; }'`,
  )
  refuses(
    'has the data of that event, from a generator',
    `streamEvents(market, async function* () {
       yield { event: 'price', data: { symbol: 'BTC', usd: '1' } }
     })`,
    /Type 'string' is not assignable to type 'number'|is not assignable to parameter of type 'StreamGenerator/,
  )
})

describe('slowConsumer', () => {
  accepts(
    'gives its key function the events as they were emitted',
    `createEmitter(market, {
       slowConsumer: { latest: (emitted) => (emitted.event === 'price' ? emitted.data.symbol : undefined) },
     })
     createEmitter(market, { slowConsumer: 'disconnect' })`,
  )
  refuses('is checked by name', `createEmitter(market, { slowConsumer: 'drop' })`, `Type '"drop"' is not assignable to type 'SlowConsumer<`)
})

describe('publishHandler', () => {
  accepts(
    'takes any emitter, and gives both ways in',
    `import type { IncomingMessage, ServerResponse } from 'node:http'
     const publish = publishHandler(emitter, { authorize: async (request, { topic }) => request.headers.has('cookie') && topic === 'BTC' })
     export const POST = (request: Request): Promise<Response> => publish.handle(request)
     export const route = (request: IncomingMessage, response: ServerResponse): void => publish.handleNode(request, response)`,
  )
  refuses('wants to know who may publish', `publishHandler(emitter, {})`, `Property 'authorize' is missing`)
  refuses(
    'does not know the data before it is validated',
    `publishHandler(emitter, { authorize: (_request, { data }) => data.usd > 0 })`,
    `'data' is of type 'unknown'.`,
  )
})

describe('observeEmitter', () => {
  accepts(
    'takes the meter of OpenTelemetry',
    `import { metrics } from '@opentelemetry/api'
     import { observeEmitter } from 'eventwire/otel'
     const stop: () => void = observeEmitter(emitter, metrics.getMeter('x'), { 'service.part': 'prices' })
     stop()`,
  )
})

describe('the hooks of React, and the stores of events', () => {
  accepts(
    'give the data of the contract',
    `export function Component(): void {
       const shared = useSubscriber(market, '/events', { key: 'a' })
       const price = useLatest(shared, 'price')
       const line = useLatest(shared, 'message', '')
       const bare = useLatest(stream, 'halted')
       const demanded = useLatest(onDemand(() => createSubscriber(market, '/events')), 'halted')
       const status = useStatus(shared)
       useEvent(shared, 'price', (data, event) => {
         type Proof = [Expect<Equal<typeof data, Price>>, Expect<Equal<typeof event, EventOf<typeof market, 'price'>>>]
       })
       useEvent(stream, 'message', async (data) => data.length)
       type Proof = [
         Expect<Equal<typeof shared, EventStream<typeof market>>>,
         Expect<Equal<typeof price, Price | undefined>>,
         Expect<Equal<typeof line, string>>,
         Expect<Equal<typeof bare, Halted | undefined>>,
         Expect<Equal<typeof demanded, Halted | undefined>>,
         Expect<Equal<typeof status, Status>>,
       ]
       useSubscriber(market, null)
     }`,
  )
  accepts(
    'give what JSON gives, with types alone',
    `const trades = defineEvents({ trade: z.object({ at: z.date() }) })
     export function Component(): void {
       const trade = useLatest(useSubscriber<typeof trades>('/trades'), 'trade')
       type Proof = Expect<Equal<typeof trade, { at: string } | undefined>>
     }`,
  )
  accepts(
    'are stores of that data',
    `const store = latestOf(stream, 'price')
     const demanded = latestOf(onDemand(() => createSubscriber<typeof market>('/events')), 'message')
     const status: Store<Status> = statusOf(stream)
     type Proof = [Expect<Equal<typeof store, Store<Price | undefined>>>, Expect<Equal<typeof demanded, Store<string | undefined>>>]`,
  )
  const anotherName = `Argument of type '"prise"' is not assignable to parameter of type '"halted" | "message" | "price"'.`
  refuses('check the name: useEvent', `export const use = () => useEvent(useSubscriber(market, '/'), 'prise', () => {})`, anotherName)
  refuses(
    'check the name: useEvent, with types alone',
    `export const use = () => useEvent(useSubscriber<typeof market>('/'), 'prise', () => {})`,
    anotherName,
  )
  refuses('check the name: latestOf', `latestOf(stream, 'prise')`, anotherName)
  refuses(
    'check the name: useLatest',
    `export const use = () => useLatest(useSubscriber(market, '/'), 'prise')`,
    `Argument of type '"prise"' is not assignable to parameter of type '"halted" | "message" | "price"'.`,
  )
  refuses(
    'check the handler',
    `export const use = () => useEvent(useSubscriber(market, '/'), 'price', (price) => price.volume)`,
    `Property 'volume' does not exist on type '{ symbol: string; usd: number; }'.`,
  )
  refuses(
    'check what is shown',
    `export const use = () => useLatest(useSubscriber(market, '/'), 'price').usd`,
    `Object is possibly 'undefined'.`,
  )
  refuses(
    'check what stands for an event that has not come',
    `export const use = () => useLatest(useSubscriber(market, '/'), 'message', 0)`,
    `Argument of type 'number' is not assignable to parameter of type 'string'.`,
  )
  refuses(
    'check the options by name',
    `export const use = () => useSubscriber(market, '/', { idelTimeout: 1 })`,
    `'idelTimeout' does not exist in type 'SharedOptions'. Did you mean to write 'idleTimeout'?`,
  )
  refuses(
    'do not let a component close what others share',
    `export const use = () => useSubscriber(market, '/').close()`,
    `Property 'close' does not exist on type 'EventStream<`,
  )
  refuses(
    'take no signal, which would do so too',
    `export const use = () => useSubscriber(market, '/', { signal: new AbortController().signal })`,
    `'signal' does not exist in type 'SharedOptions'`,
  )
})

describe('options', () => {
  refuses(
    'of createEmitter are checked by name',
    `createEmitter(market, { heartbeet: 1 })`,
    /'heartbeet' does not exist in type 'EmitterOptions<.*>'\. Did you mean to write 'heartbeat'\?/,
  )
  refuses(
    'of createSubscriber are checked by name',
    `createSubscriber(market, '/events', { idelTimeout: 1 })`,
    `'idelTimeout' does not exist in type 'SubscriberOptions'. Did you mean to write 'idleTimeout'?`,
  )
  refuses(
    'of createSubscriber are checked by name, with types alone',
    `createSubscriber<typeof market>('/events', { idelTimeout: 1 })`,
    `'idelTimeout' does not exist in type 'SubscriberOptions'. Did you mean to write 'idleTimeout'?`,
  )
})

function notTrue(): string {
  return `Type 'false' does not satisfy the constraint 'true'.`
}

/** States that a source compiles. */
function accepts(sentence: string, source: string): void {
  const name = add(source)
  test(sentence, async () => {
    expect(await diagnose(name)).toEqual([])
  })
}

/** States that a source does not compile, for one reason, and what the compiler says of it. */
function refuses(sentence: string, source: string, message: string | RegExp): void {
  const name = add(source)
  test(sentence, async () => {
    const found = await diagnose(name)
    expect(found).toHaveLength(1)
    expect(found?.[0]).toMatch(message)
  })
}

/** Adds a source, and after it, so that its lines keep their numbers, what it may use. */
function add(source: string): string {
  const name = `source-${sources.size}.ts`
  sources.set(
    name,
    `${source}
     import { defineEvents, text, type Contract, type EventData, type EventInput, type EventName, type EventOf } from 'eventwire'
     import { createSubscriber, latestOf, onDemand, statusOf, type EventStream, type Status, type Store } from 'eventwire/client'
     import { useEvent, useLatest, useStatus, useSubscriber } from 'eventwire/react'
     import { createEmitter, publishHandler, streamEvents } from 'eventwire/server'
     import * as z from 'zod'
     import { emitter, light, market, stream, type Equal, type Expect, type Halted, type IsAny, type IsUnknown, type Price } from './market.ts'`,
  )
  return name
}

/** What the compiler says of a source. All are compiled together, once. */
async function diagnose(name: string): Promise<readonly string[] | undefined> {
  diagnosed ??= (async () => compile(sources))()
  return (await diagnosed).get(name)
}
