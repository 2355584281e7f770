import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec'
import { toStandardJsonSchema } from '@valibot/to-json-schema'
import { type } from 'arktype'
import { defineEvents, text, type Contract } from 'eventwire'
import { asyncapi, openapi, type OpenApiDocument } from 'eventwire/openapi'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import * as zm from 'zod/mini'
import { caught } from '../support/caught.ts'
import { at, faultsOf, INFO, judge } from './support.ts'

const of = (
  contract: Contract,
  options: { jsonSchemas?: Record<string, object>; mediaType?: string; publish?: string } = {},
): OpenApiDocument => openapi(contract, { document: { info: INFO }, stream: '/events', ...options })

interface Branch {
  name: string
  branches: Branch[]
}

const zodBranch: z.ZodType<Branch> = z.lazy(() => z.object({ name: z.string(), branches: z.array(zodBranch) }))
const valibotBranch: v.GenericSchema<Branch> = v.object({ name: v.string(), branches: v.array(v.lazy(() => valibotBranch)) })

/** The same schemas by each library: an object, and one that holds others of its kind. */
const libraries: Record<string, { quote: StandardSchemaV1; branch: StandardSchemaV1 }> = {
  zod: { quote: z.object({ symbol: z.string(), bids: z.array(z.object({ usd: z.number() })) }), branch: zodBranch },
  valibot: {
    quote: toStandardJsonSchema(v.object({ symbol: v.string(), bids: v.array(v.object({ usd: v.number() })) })),
    branch: toStandardJsonSchema(valibotBranch),
  },
  arktype: {
    quote: type({ symbol: 'string', bids: type({ usd: 'number' }).array() }),
    branch: type.module({ branch: { name: 'string', branches: 'branch[]' } }).branch,
  },
}

describe.each(Object.entries(libraries))('schemas of %s', (_, { quote, branch }) => {
  const document = of(defineEvents({ quote, branch, tree: branch }), { publish: '/publish' })
  const { fits } = judge(document)

  test('make a valid document', async () => {
    expect(await faultsOf(document)).toEqual([])
  })

  test('tell what fits from what does not', async () => {
    expect(await fits('#/components/schemas/QuoteData', { symbol: 'BTC', bids: [{ usd: 1 }] })).toBe(true)
    expect(await fits('#/components/schemas/QuoteData', { symbol: 'BTC', bids: [{ usd: 'one' }] })).toBe(false)
    expect(await fits('#/components/schemas/QuotePublication', { event: 'quote', data: { symbol: 'BTC', bids: [] }, topic: 'BTC' })).toBe(
      true,
    )
    expect(await fits('#/components/schemas/QuotePublication', { event: 'quote', data: { symbol: 'BTC' } })).toBe(false)
  })

  test('may be recursive, and are followed all the way down', async () => {
    for (const ref of ['#/components/schemas/BranchData', '#/components/schemas/TreeData']) {
      expect(await fits(ref, { name: 'a', branches: [{ name: 'b', branches: [{ name: 'c', branches: [] }] }] })).toBe(true)
      expect(await fits(ref, { name: 'a', branches: [{ name: 'b', branches: [{ name: 3, branches: [] }] }] })).toBe(false)
    }
  })

  test('make the same document each time', () => {
    expect(of(defineEvents({ quote, branch, tree: branch }), { publish: '/publish' })).toEqual(document)
  })
})

describe('definitions', () => {
  const user = z.object({ id: z.string() }).meta({ id: 'User' })

  test('that have a name keep it, and are there once', () => {
    const { schemas } = of(defineEvents({ joined: user, left: z.object({ user, others: z.array(user) }) })).components
    expect(Object.keys(schemas).filter((name) => !name.endsWith('Event') && !name.startsWith('Stream'))).toEqual(['User', 'LeftData'])
    expect(schemas['JoinedEvent']!.properties!['data']!.contentSchema).toEqual({ $ref: '#/components/schemas/User' })
    expect(schemas['LeftData']!.properties).toMatchObject({
      user: { $ref: '#/components/schemas/User' },
      others: { items: { $ref: '#/components/schemas/User' } },
    })
  })

  test('of one name that differ are told apart, also where only what they refer to differs', async () => {
    const group = (leaf: string): object => ({
      type: 'object',
      properties: { first: { $ref: '#/$defs/Node' } },
      $defs: {
        Node: { type: 'array', items: { $ref: '#/$defs/Leaf' } },
        Leaf: { type: leaf },
      },
    })
    const contract = defineEvents({ one: z.unknown(), two: z.unknown(), three: z.unknown() })
    const document = of(contract, { jsonSchemas: { one: group('string'), two: group('number'), three: group('number') } })
    expect(await faultsOf(document)).toEqual([])
    const { fits } = judge(document)
    expect(await fits('#/components/schemas/OneData', { first: ['a'] })).toBe(true)
    expect(await fits('#/components/schemas/TwoData', { first: ['a'] })).toBe(false)
    expect(await fits('#/components/schemas/ThreeData', { first: [1] })).toBe(true)
    expect(Object.keys(document.components.schemas)).toEqual(expect.arrayContaining(['Node', 'Leaf', 'Node2', 'Leaf2']))
    expect(document.components.schemas).not.toHaveProperty('Node3')
  })

  test('may have any name, and what only looks like a reference is left alone', async () => {
    const schema = {
      type: 'object',
      properties: {
        $ref: { $ref: '#/definitions/a~1b%20c' },
        default: { $ref: '#/properties/$ref' },
        again: { $ref: '#' },
        plain: { const: { $ref: '#/nowhere' } },
        outside: { $ref: '#/components/schemas/StreamEnd' },
      },
      definitions: { 'a/b c': { type: 'integer' } },
    }
    const document = of(defineEvents({ odd: z.unknown() }), { jsonSchemas: { odd: schema } })
    expect(document.components.schemas['OddData']!.properties).toEqual({
      $ref: { $ref: '#/components/schemas/a_b_c' },
      default: { $ref: '#/components/schemas/OddData/properties/$ref' },
      again: { $ref: '#/components/schemas/OddData' },
      plain: { const: { $ref: '#/nowhere' } },
      outside: { $ref: '#/components/schemas/StreamEnd' },
    })
    const { fits } = judge(document)
    expect(await fits('#/components/schemas/OddData', { $ref: 1, default: 2, again: { $ref: 3 } })).toBe(true)
    expect(await fits('#/components/schemas/OddData', { again: { default: 'four' } })).toBe(false)
  })
})

test('what may be published is the input of a schema, what is sent its output', async () => {
  const { fits } = judge(
    of(defineEvents({ price: z.object({ usd: z.number(), currency: z.string().default('USD') }) }), { publish: '/publish' }),
  )
  expect(await fits('#/components/schemas/PricePublication', { event: 'price', data: { usd: 1 } })).toBe(true)
  expect(await fits('#/components/schemas/PriceData', { usd: 1 })).toBe(false)
  expect(await fits('#/components/schemas/PriceData', { usd: 1, currency: 'EUR' })).toBe(true)
})

test('where input and output are alike, one schema says both', () => {
  const { schemas } = of(defineEvents({ count: z.number() }), { publish: '/publish' }).components
  expect(schemas['CountPublication']!.properties!['data']).toEqual({ $ref: '#/components/schemas/CountData' })
  expect(schemas).not.toHaveProperty('CountInput')
})

const plain = (vendor: string): StandardSchemaV1 => ({ '~standard': { version: 1, vendor, validate: (value) => ({ value }) } })

describe.each([
  ['OpenAPI', of],
  ['AsyncAPI', (contract: Contract, options?: object) => asyncapi(contract, { document: { info: INFO }, stream: '/events', ...options })],
])('for %s', (_, describeIt) => {
  test.each([
    ['valibot unwrapped', v.string(), 'Wrap it in toStandardJsonSchema of @valibot/to-json-schema'],
    ['zod/mini', zm.string(), 'what z.toJSONSchema makes of it'],
    ['any other library', plain('homemade'), '(homemade) gives no JSON Schema. Say in jsonSchemas'],
    ['a Date of valibot', toStandardJsonSchema(v.date()), 'cannot be converted to JSON Schema. Say in jsonSchemas'],
    ['a Date', z.object({ at: z.coerce.date() }), 'Date cannot be represented in JSON Schema. Say in jsonSchemas'],
  ])('a schema that gives no JSON Schema is refused by the name of its event, and may be said in words: %s', (__, schema, message) => {
    const contract = defineEvents({ fine: text(), price: schema })
    const error = caught(() => describeIt(contract))
    expect(error).toMatchObject({ code: 'invalid-contract', event: 'price' })
    expect(error.message).toMatch(/^Event "price": /)
    expect(error.message).toContain(message)
    const { schemas } = describeIt(contract, { jsonSchemas: { price: { type: 'string', format: 'date-time' } } }).components
    expect(schemas['PriceData']).toEqual({ type: 'string', format: 'date-time' })
  })
})

test('a library is asked for the direction and the dialect that the document has', () => {
  const asked: string[] = []
  const converter =
    (direction: string) =>
    ({ target }: StandardJSONSchemaV1.Options) => {
      asked.push(`${direction} ${target}`)
      return {}
    }
  const jsonSchema = { input: converter('input'), output: converter('output') }
  const schema = { '~standard': { ...plain('homemade')['~standard'], jsonSchema } }
  const contract = defineEvents({ price: schema })
  openapi(contract, { document: { info: INFO }, stream: '/events' })
  openapi(contract, { document: { info: INFO }, publish: '/publish' })
  asyncapi(contract, { document: { info: INFO }, stream: '/events' })
  asyncapi(contract, { document: { info: INFO }, publish: '/publish' })
  expect(asked).toEqual(['output draft-2020-12', 'input draft-2020-12', 'output draft-07', 'input draft-07'])
})

test('raw text may be said more of', async () => {
  const document = of(defineEvents({ message: text() }), {
    publish: '/publish',
    jsonSchemas: { message: { type: 'string', maxLength: 5 } },
  })
  expect(await faultsOf(document)).toEqual([])
  const { accepts, fits } = judge(document)
  for (const [data, fit] of [
    ['hello', true],
    ['hello!', false],
  ] as const) {
    expect(await accepts({ data })).toBe(fit)
    expect(await fits('#/components/schemas/MessagePublication', { event: 'message', data })).toBe(fit)
  }
})

test('data that is no JSON has its media type and no schema, unless one is said', async () => {
  const lines = defineEvents(
    { price: z.tuple([z.string(), z.number()]), message: text() },
    { serialize: String, deserialize: (line) => line.split(',') },
  )
  const document = of(lines, { mediaType: 'text/csv', publish: '/publish' })
  expect(await faultsOf(document)).toEqual([])
  expect(at(document, '#/components/schemas/PriceEvent/properties/data')).toEqual({ type: 'string', contentMediaType: 'text/csv' })
  expect(at(document, '#/components/schemas/MessageEvent/properties/data')).toEqual({ type: 'string' })
  expect(at(document, '#/components/schemas/PricePublication/properties/data')).toEqual({ $ref: '#/components/schemas/PriceInput' })
  const said = of(lines, { mediaType: 'text/csv', jsonSchemas: { price: { type: 'array' } } })
  expect(at(said, '#/components/schemas/PriceEvent/properties/data')).toEqual({
    type: 'string',
    contentMediaType: 'text/csv',
    contentSchema: { $ref: '#/components/schemas/PriceData' },
  })
})
