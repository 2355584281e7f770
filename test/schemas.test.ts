import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { type } from 'arktype'
import { defineEvents, text, type Contract, type EventwireError } from 'eventwire'
import { createSubscriber } from 'eventwire/client'
import { createEmitter } from 'eventwire/server'
import * as v from 'valibot'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import * as zm from 'zod/mini'
import { caught } from './support/caught.ts'

interface QuoteInput {
  symbol: string
  bids: { usd: number }[]
  currency?: string | undefined
}

interface Quote {
  symbol: string
  bids: { usd: number }[]
  currency: string
}

/** The same schema by each library: nested, with a default, and without the keys it does not list. */
const libraries: Record<string, StandardSchemaV1<QuoteInput, Quote>> = {
  zod: z.object({
    symbol: z.string(),
    bids: z.array(z.object({ usd: z.number() })),
    currency: z.string().default('USD'),
  }),
  'zod/mini': zm.object({
    symbol: zm.string(),
    bids: zm.array(zm.object({ usd: zm.number() })),
    currency: zm.prefault(zm.string(), 'USD'),
  }),
  valibot: v.object({
    symbol: v.string(),
    bids: v.array(v.object({ usd: v.number() })),
    currency: v.optional(v.string(), 'USD'),
  }),
  arktype: type({
    '+': 'delete',
    symbol: 'string',
    bids: type({ '+': 'delete', usd: 'number' }).array(),
    currency: 'string = "USD"',
  }),
}

const given = { symbol: 'BTC', bids: [{ usd: 64_000, account: 7 }], desk: 'London' }
const quote: Quote = { symbol: 'BTC', bids: [{ usd: 64_000 }], currency: 'USD' }
const wrong = { symbol: 'BTC', bids: [{ usd: 64_000 }, { usd: 'high' }] } as unknown as QuoteInput

describe.each(Object.entries(libraries))('schemas of %s', (_, schema) => {
  const market = defineEvents({ quote: schema, message: text() })

  test('write their output, defaults filled in and unlisted keys left out', async () => {
    const written = await market.serialize('quote', given)
    expect(JSON.parse(written)).toEqual(quote)
    expect(market.serialize('quote', given)).toBe(written)
  })

  test('read it back', () => {
    expect(market.deserialize('quote', JSON.stringify(quote))).toEqual(quote)
    expect(market.deserialize('quote', JSON.stringify(given))).toEqual(quote)
  })

  test('leave alone what they are given', () => {
    const input = structuredClone(given)
    void market.serialize('quote', input)
    expect(input).toEqual(given)
  })

  test.each([
    ['on the way out', () => market.serialize('quote', wrong)],
    ['on the way in', () => market.deserialize('quote', JSON.stringify(wrong))],
  ])('refuse %s what is wrong, and say where', (__, run) => {
    const error = caught(run)
    expect(error).toMatchObject({ code: 'invalid-payload', event: 'quote' })
    expect(error.message).toMatch(/^Event "quote": bids\.1\.usd: \S/)
    expect(paths(error)).toEqual([['bids', 1, 'usd']])
    expect(error.issues?.[0]?.message).toMatch(/number/)
  })

  test('refuse what lacks a field, and what is no object at all', () => {
    expect(paths(caught(() => market.serialize('quote', { bids: [] })))).toEqual([['symbol']])
    expect(paths(caught(() => market.serialize('quote', 'BTC')))).toEqual([[]])
    expect(caught(() => market.deserialize('quote', 'null')).code).toBe('invalid-payload')
  })

  test('carry events from emit to on, and let no wrong one through', async () => {
    const { emitter, subscriber, connected } = await serve(market)
    const received: unknown[] = []
    const done = Promise.withResolvers<void>()
    subscriber.on('quote', (data, event) => received.push([event.event, data, event.id]))
    subscriber.on('message', (line, event) => {
      received.push([event.event, line, event.id])
      done.resolve()
    })
    await connected

    const first = await emitter.emit('quote', given)
    await expect(emitter.emit('quote', wrong)).rejects.toMatchObject({ code: 'invalid-payload', event: 'quote' })
    const last = await emitter.emit('message', '"that is all"')
    await done.promise
    expect(received).toEqual([
      ['quote', quote, first],
      ['message', '"that is all"', last],
    ])
  })

  test('are asked again by the client: what the server should not have sent is reported and skipped', async () => {
    // A server of another version, whose contract demands less.
    const older = defineEvents({ quote: accepting(), message: text() })
    const { emitter, subscriber, connected } = await serve(market, older)
    const errors: EventwireError[] = []
    const received: unknown[] = []
    const done = Promise.withResolvers<void>()
    subscriber.onError((error) => errors.push(error))
    subscriber.on('quote', (data) => {
      received.push(data)
      done.resolve()
    })
    await connected

    const id = await emitter.emit('quote', wrong)
    await emitter.emit('quote', quote)
    await done.promise
    expect(received).toEqual([quote])
    expect(errors).toMatchObject([{ code: 'invalid-payload', event: 'quote', id }])
    expect(errors.flatMap(paths)).toEqual([['bids', 1, 'usd']])
  })
})

/** A server and a subscriber to it, on a socket; all is closed when the test has finished. */
async function serve<C extends Contract>(contract: C, serverContract = contract) {
  const opened = Promise.withResolvers<void>()
  const emitter = createEmitter(serverContract, { onConnect: () => opened.resolve() })
  const server = createServer((request, response) => emitter.handleNode(request, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const subscriber = createSubscriber(contract, `http://127.0.0.1:${port}/events`)
  onTestFinished(async () => {
    subscriber.close()
    await expect(subscriber.closed).resolves.toEqual({ reason: 'aborted' })
    await emitter.close()
    server.close()
    await once(server, 'close')
  })
  return { emitter, subscriber, connected: opened.promise }
}

/** Where the issues of an error are, as plain arrays of keys: some libraries wrap each key in an object, one has a list of its own. */
function paths({ issues = [] }: EventwireError): PropertyKey[][] {
  return Array.from(issues, ({ path = [] }) => Array.from(path, (segment) => (typeof segment === 'object' ? segment.key : segment)))
}

/** A schema that objects to nothing. */
function accepting(): StandardSchemaV1<QuoteInput, Quote> {
  return { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as Quote }) } }
}
