import { Parser } from '@asyncapi/parser'
import { defineEvents, text } from 'eventwire'
import { asyncapi, type AsyncApiDocument, type AsyncApiOptions } from 'eventwire/openapi'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { caught } from '../support/caught.ts'
import { market, type Market } from '../support/market.ts'
import { INFO, jsonOf, sharedIn } from './support.ts'

const SERVERS = { production: { host: 'api.example.com', protocol: 'https' } }

const describeMarket = (options: Partial<AsyncApiOptions<Market>> = {}): AsyncApiDocument =>
  asyncapi(market, { document: { info: INFO, servers: SERVERS }, stream: '/events', publish: '/publish', ...options })

/** A document as the official parser reads it, and what that has against it. It would like the newest version; 3.0 is read by more. */
async function parse(document: AsyncApiDocument) {
  const { document: parsed, diagnostics } = await new Parser().parse(JSON.stringify(document))
  const faults = diagnostics
    .filter(({ code }) => code !== 'asyncapi-latest-version')
    .map(({ message, path }) => `${path.join('/')}: ${message}`)
  return { operations: parsed?.operations().all() ?? [], faults }
}

describe('a document', () => {
  test('is AsyncAPI 3 by the official parser: the server sends the events and receives what is published', async () => {
    const document = describeMarket()
    const { operations, faults } = await parse(document)
    expect(faults).toEqual([])
    expect(document.asyncapi).toBe('3.0.0')
    const read = operations.map((it) => ({
      action: it.action(),
      address: it.channels().all()[0]!.address(),
      messages: it
        .messages()
        .all()
        .map((message) => message.name()),
      http: it.bindings().get('http')?.json<object>(),
      replies: it
        .reply()
        ?.messages()
        .all()
        .map((message) => message.contentType()),
    }))
    expect(read).toMatchObject([
      {
        action: 'send',
        address: '/events',
        messages: ['price', 'halted', 'message', '$ready', '$gap', '$end'],
        http: { method: 'GET', query: { properties: { lastEventId: { type: 'string' } } } },
      },
      {
        action: 'receive',
        address: '/publish',
        messages: ['price', 'halted', 'message'],
        http: { method: 'POST' },
        replies: ['application/json', 'application/problem+json'],
      },
    ])
  })

  test('is plain JSON', () => {
    const document = describeMarket()
    expect(jsonOf(document)).toEqual(document)
  })

  test('is yours: what you change in it changes no other, nor another place in it', () => {
    const changed = describeMarket()
    const before = jsonOf(changed)
    expect(sharedIn(changed)).toEqual([])
    changed.channels['streamEvents']!.messages['$gap']!.name = 'gap'
    changed.components.schemas['StreamGap']!.required!.pop()
    Object.assign(changed.servers!, { other: {} })
    expect(describeMarket()).toEqual(before)
  })

  test('and the check of these tests sees what is none', async () => {
    const document = describeMarket()
    document.operations['streamEvents']!.action = 'shout' as 'send'
    expect((await parse(document)).faults).not.toEqual([])
    const other = describeMarket()
    delete other.components.schemas['PriceData']
    expect((await parse(other)).faults).not.toEqual([])
  })

  test('may have the stream alone, or the publish endpoint alone, or both at one path', async () => {
    for (const options of [{ publish: undefined }, { stream: undefined }, { publish: '/events' }]) {
      expect((await parse(describeMarket(options))).faults).toEqual([])
    }
  })

  test('has the names of a path, and the method', async () => {
    const document = describeMarket({ stream: '/desks/{desk}', method: 'post' })
    expect((await parse(document)).faults).toEqual([])
    expect(document.channels['streamEvents']!.parameters).toEqual({ desk: {} })
    expect(document.operations['streamEvents']!.bindings!.http).toMatchObject({ method: 'POST' })
  })

  test('keeps what was there, and adds to it', async () => {
    const chat = defineEvents({ said: text(), price: z.string() }, { name: 'chat' })
    const first = describeMarket({ document: { asyncapi: '3.1.0', info: INFO, servers: SERVERS } })
    const before = structuredClone(first)
    const both = asyncapi(chat, { document: first, stream: '/rooms/{room}' })
    expect(first).toEqual(before)
    expect((await parse(both)).faults).toEqual([])
    expect(both).toMatchObject(first)
    expect(Object.keys(both.channels)).toEqual(['streamEvents', 'publishEvent', 'streamChat'])
    expect(Object.keys(describeMarket({ document: first }).operations)).toEqual([
      'streamEvents',
      'publishEvent',
      'streamEvents2',
      'publishEvent2',
    ])
    expect(both.channels['streamChat']!.messages['price']!.payload).toEqual({ $ref: '#/components/schemas/PriceData2' })
  })
})

test('a message is the data, read; the fields besides are its headers', () => {
  const { messages } = describeMarket().channels['streamEvents']!
  expect(messages['price']).toEqual({
    name: 'price',
    contentType: 'application/json',
    headers: { type: 'object', properties: { event: { type: 'string', const: 'price' }, id: { type: 'string' } }, required: ['event'] },
    payload: { $ref: '#/components/schemas/PriceData' },
  })
  expect(messages['message']).toMatchObject({ contentType: 'text/plain', payload: { type: 'string' } })
  expect(messages['message']!.headers).not.toHaveProperty('required')
})

test('names of any kind, marks, recursive schemas and data that is no JSON have a place in it', async () => {
  const branch: z.ZodType = z.lazy(() => z.object({ branches: z.array(branch) }))
  const odd = defineEvents(
    { 'a/b': z.string(), 'a b': z.string(), 価格: z.number(), ['__proto__']: z.null(), branch, message: text(), done: z.object({}) },
    { ends: ['done', { event: 'a b', data: '[DONE]' }] },
  )
  const document = asyncapi(odd, { document: { info: INFO }, stream: '/odd', publish: '/publish' })
  expect((await parse(document)).faults).toEqual([])
  const { messages } = document.channels['streamEvents']!
  expect(Object.values(messages).map(({ name }) => name)).toEqual(
    expect.arrayContaining(['a/b', 'a b', '価格', '__proto__', 'branch', 'message', 'done', '$ready']),
  )
  expect(Object.values(messages).filter(({ name }) => name === 'a b')).toMatchObject([
    { contentType: 'application/json' },
    { contentType: 'text/plain', payload: { enum: ['[DONE]'] } },
  ])
  expect(messages['done']!.description).toBe('The stream ends after this event.')

  const packed = asyncapi(odd, { document: { info: INFO }, stream: '/odd', mediaType: 'application/octet-stream' })
  expect((await parse(packed)).faults).toEqual([])
  expect(packed.channels['streamEvents']!.messages['done']).not.toHaveProperty('payload')
})

test.each([
  ['no contract', () => asyncapi({} as typeof market, { document: { info: INFO }, stream: '/events' }), 'contract that defineEvents'],
  ['no path', () => asyncapi(market, { document: { info: INFO } }), 'takes stream'],
  ['no info', () => describeMarket({ document: {} as never }), '{ info: { title, version } }'],
  ['an option of openapi', () => describeMarket({ refusals: [401] } as object), 'has no "refusals"'],
  [
    'a version that is a number',
    // @ts-expect-error: as YAML reads `asyncapi: 3`
    () => describeMarket({ document: { asyncapi: 3, info: INFO } }),
    'document.asyncapi is 3; give it as a string',
  ],
  ['AsyncAPI 2', () => describeMarket({ document: { asyncapi: '2.6.0', info: INFO } }), 'is of AsyncAPI 2.6.0'],
])('%s is refused', (_, run, message) => {
  const error = caught(run)
  expect(error.code).toBe('invalid-option')
  expect(error.message).toContain(message)
})
