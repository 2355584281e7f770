import { defineEvents, text } from 'eventwire'
import { openapi, type OpenApiDocument } from 'eventwire/openapi'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { caught } from '../support/caught.ts'
import { market } from '../support/market.ts'
import { at, describeMarket, faultsOf, INFO, jsonOf, sharedIn } from './support.ts'

const operationsOf = ({ paths }: OpenApiDocument): string[] =>
  Object.entries(paths).flatMap(([path, item]) => Object.keys(item).map((method) => `${method} ${path}`))

describe('a document', () => {
  test('is OpenAPI 3.2 by its own meta-schema', async () => {
    const document = describeMarket()
    expect(await faultsOf(document)).toEqual([])
    expect(document.openapi).toBe('3.2.0')
    expect(operationsOf(document)).toEqual(['get /events', 'post /publish'])
  })

  test('is plain JSON', () => {
    const document = describeMarket()
    expect(jsonOf(document)).toEqual(document)
  })

  test('is yours: what you change in it changes no other, nor another place in it', () => {
    const servers = [{ url: 'https://api.example.com' }]
    const changed = describeMarket({ document: { info: INFO, servers } })
    const before = jsonOf(changed)
    expect(sharedIn(changed)).toEqual([])
    changed.paths['/events']!.get!.responses['503']!.description = 'Closed.'
    changed.paths['/events']!.get!.parameters![0]!.name = 'Cursor'
    changed.components.schemas['StreamGap']!.properties!['data']!.contentSchema!.required!.pop()
    Object.assign(changed.servers![0]!, { url: '/' })
    expect(describeMarket({ document: { info: INFO, servers } })).toEqual(before)
  })

  test('and the check of these tests sees what is none', async () => {
    const document = describeMarket()
    document.components.schemas['PriceData']!.type = 'number or so'
    expect(await faultsOf(document)).toContain('invalid')
    delete document.components.schemas['PriceData']
    expect(await faultsOf(document)).toContain('#/components/schemas/PriceData')
  })

  test('says of the stream how to resume, and by which query where no header can be set', () => {
    const { parameters } = describeMarket().paths['/events']!.get!
    expect(parameters).toMatchObject([
      { name: 'Last-Event-ID', in: 'header' },
      { name: 'lastEventId', in: 'query' },
    ])
  })

  test('may have the stream alone, or the publish endpoint alone', async () => {
    for (const options of [{ publish: undefined }, { stream: undefined }]) {
      const document = describeMarket(options)
      expect(operationsOf(document)).toHaveLength(1)
      expect(await faultsOf(document)).toEqual([])
    }
  })

  test('may have both at one path', async () => {
    const document = describeMarket({ publish: '/events' })
    expect(operationsOf(document)).toEqual(['get /events', 'post /events'])
    expect(await faultsOf(document)).toEqual([])
  })

  test('has the names of a path as its parameters, and those of the application', async () => {
    const topics = { name: 'symbol', in: 'query', schema: { type: 'array', items: { type: 'string' } } } as const
    const query = { name: 'lastEventId', in: 'query', description: 'In other words.', schema: { type: 'string' } } as const
    const document = describeMarket({ stream: '/desks/{desk}/{floor}', publish: '/desks/{desk}', parameters: [topics, query] })
    expect(await faultsOf(document)).toEqual([])
    const { parameters } = document.paths['/desks/{desk}/{floor}']!.get!
    expect(parameters!.map(({ in: place, name }) => `${place} ${name}`)).toEqual([
      'path desk',
      'path floor',
      'header Last-Event-ID',
      'query lastEventId',
      'query symbol',
    ])
    expect(parameters![3]).toEqual(query)
    expect(document.paths['/desks/{desk}']!.post!.parameters).toMatchObject([{ name: 'desk', in: 'path', required: true }])
  })

  test('has the statuses that connect answers with', () => {
    const statuses = (refusals?: number[]): string[] => Object.keys(describeMarket({ refusals }).paths['/events']!.get!.responses)
    expect(statuses()).toEqual(['200', '400', '401', '403', '429', '431', '500', '503'])
    expect(statuses([204, 402])).toEqual(['200', '204', '400', '402', '429', '431', '500', '503'])
  })

  test('says as much of a status that the server answers with by itself when connect does too', () => {
    const responses = (refusals: number[]) => describeMarket({ refusals }).paths['/events']!.get!.responses
    expect(responses([429, 503])).toEqual(responses([]))
  })

  test('describes a stream that is asked for with POST, whose body the application says', async () => {
    const document = describeMarket({ method: 'post' })
    document.paths['/events']!.post!.requestBody = { content: { 'application/json': { schema: { type: 'object' } } } }
    expect(operationsOf(document)).toEqual(['post /events', 'post /publish'])
    expect(await faultsOf(document)).toEqual([])
  })
})

describe('events', () => {
  const job = defineEvents(
    {
      'step/done': z.object({ percent: z.number() }).describe('A step is done.'),
      token: z.string(),
      message: text(),
      done: z.object({}),
    },
    { name: 'job', ends: ['done', { event: 'token', data: '[DONE]' }, { event: 'message', data: 'bye' }] },
  )
  const document = openapi(job, { document: { info: INFO }, stream: '/job', publish: '/job' })
  const { schemas } = document.components

  test('whose names fit no component have one that does', async () => {
    expect(await faultsOf(document)).toEqual([])
    expect(schemas['StepDoneEvent']!.properties!['event']).toEqual({ type: 'string', const: 'step/done' })
    const strange = defineEvents({
      価格: z.string(),
      '☃': z.number(),
      constructor: z.string(),
      ['__proto__']: z.string(),
      'a-b': z.null(),
      'a b': z.boolean(),
    })
    const other = openapi(strange, { document: { info: INFO }, stream: '/strange', publish: '/publish' })
    expect(await faultsOf(other)).toEqual([])
    const { mapping } = (at(other, '#/components/schemas/StreamItem') as { discriminator: { mapping: object } }).discriminator
    expect(other.components.schemas['ConstructorData']).toEqual({ type: 'string' })
    expect(new Set(Object.values(mapping)).size).toBe(Object.keys(strange.schemas).length + 3)
  })

  test('named message may come without a name, and no other may', () => {
    expect(schemas['MessageEvent']!.required).toEqual(['data'])
    expect(schemas['TokenEvent']!.required).toEqual(['event', 'data'])
    expect(at(document, '#/components/schemas/JobStreamItem')).toMatchObject({
      discriminator: { propertyName: 'event', defaultMapping: '#/components/schemas/MessageEvent' },
    })
  })

  test('say that they end the stream, and what their schema says of them', () => {
    expect(schemas['StepDoneEvent']!.description).toBe('A step is done.')
    expect(schemas['DoneEvent']!.description).toBe('The stream ends after this event.')
    expect(schemas['MessageEvent']!.description).toBe('The stream ends after this event if its data is "bye".')
  })

  test('may be a mark, which is no JSON', () => {
    expect(schemas['TokenEvent']!.properties!['data']).toEqual({
      type: 'string',
      anyOf: [{ contentMediaType: 'application/json', contentSchema: { $ref: '#/components/schemas/TokenData' } }, { enum: ['[DONE]'] }],
    })
    expect(schemas['MessageEvent']!.properties!['data']).toEqual({ type: 'string' })
  })

  test('have the name of the contract in what is made of all of them', () => {
    expect(document.paths['/job']!.get!.operationId).toBe('streamJob')
    expect(document.paths['/job']!.post!.operationId).toBe('publishJob')
    expect(Object.keys(schemas)).toEqual(expect.arrayContaining(['JobStreamItem', 'JobPublication']))
  })
})

describe('added to a document', () => {
  const own = {
    openapi: '3.1.0',
    info: INFO,
    security: [{ token: [] }],
    tags: [{ name: 'live' }],
    paths: { '/events': { post: { operationId: 'streamEvents', responses: { 200: { description: 'Done.' } } } } },
    components: {
      schemas: { PriceData: { type: 'string' }, Halt: { type: 'string' } },
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  }

  test('streams leave in it all that was there, and change neither it nor one another', async () => {
    const before = structuredClone(own)
    const document = describeMarket({ document: own })
    expect(own).toEqual(before)
    expect(await faultsOf(document)).toEqual([])
    expect(document).toMatchObject({ ...own, openapi: '3.2.0' })
    expect(operationsOf(document)).toEqual(['post /events', 'get /events', 'post /publish'])
    document.components.schemas['Halt']!.type = 'null'
    expect(own).toEqual(before)
  })

  test('a schema or an operation of a name that is taken gets a number', () => {
    const document = describeMarket({ document: own })
    expect(document.components.schemas).toMatchObject({ PriceData: { type: 'string' }, PriceData2: { type: 'object' } })
    expect(at(document, '#/components/schemas/PriceEvent')).toMatchObject({
      properties: { data: { contentSchema: { $ref: '#/components/schemas/PriceData2' } } },
    })
    expect(document.paths['/events']!.get!.operationId).toBe('streamEvents2')
  })

  test('many contracts share what is alike', async () => {
    const chat = defineEvents({ said: text(), price: z.string() }, { name: 'chat' })
    const first = describeMarket()
    const both = openapi(chat, { document: first, stream: '/chat' })
    expect(await faultsOf(both)).toEqual([])
    expect(operationsOf(both)).toEqual(['get /events', 'post /publish', 'get /chat'])
    const added = Object.keys(both.components.schemas).filter((name) => !(name in first.components.schemas))
    expect(added).toEqual(['SaidEvent', 'PriceData2', 'PriceEvent2', 'ChatStreamItem'])
  })

  test('the same contract at another path adds no schema', () => {
    const first = describeMarket()
    const both = describeMarket({ document: first, stream: '/all', publish: undefined })
    expect(both.components).toEqual(first.components)
    expect(both.paths['/all']!.get!.operationId).toBe('streamEvents2')
  })
})

test.each([
  ['no contract', () => openapi({} as typeof market, { document: { info: INFO }, stream: '/events' }), 'contract that defineEvents'],
  ['no options', () => openapi(market, undefined as never), 'takes stream'],
  ['no path', () => openapi(market, { document: { info: INFO } }), 'takes stream'],
  ['no info', () => describeMarket({ document: {} as never }), '{ info: { title, version } }'],
  [
    'a misspelt option',
    // @ts-expect-error: a misspelt option
    () => describeMarket({ steam: '/' }),
    'has no "steam"; it takes document, stream',
  ],
  ['a path that is an address', () => describeMarket({ stream: 'http://127.0.0.1/events' }), 'stream is "http://127.0.0.1/events"'],
  [
    'another method',
    // @ts-expect-error: `put` is no method of a stream
    () => describeMarket({ method: 'put' }),
    `method is "put"; it takes 'get' or 'post'`,
  ],
  [
    'a schema for no event',
    // @ts-expect-error: the contract has no such event
    () => describeMarket({ jsonSchemas: { prise: {} } }),
    'jsonSchemas has "prise"',
  ],
  [
    'a version that is a number',
    // @ts-expect-error: as YAML reads `openapi: 3.1`
    () => describeMarket({ document: { openapi: 3.1, info: INFO } }),
    'document.openapi is 3.1; give it as a string',
  ],
  ['a refusal that is none', () => describeMarket({ refusals: [401, 200] }), 'refusals has 200; give 204, or statuses from 300 to 599'],
  [
    'a parameter that is nowhere',
    // @ts-expect-error: without `in`
    () => describeMarket({ parameters: [{ name: 'symbol' }] }),
    'parameters has {"name":"symbol"}; each has a name, and in: path, query, header, cookie',
  ],
  ['OpenAPI 3.0', () => describeMarket({ document: { openapi: '3.0.4', info: INFO } }), 'is of OpenAPI 3.0.4'],
  ['a path that is there already', () => describeMarket({ document: describeMarket() }), 'has GET /events already'],
])('%s is refused', (_, run, message) => {
  const error = caught(run)
  expect(error.code).toBe('invalid-option')
  expect(error.message).toContain(message)
})
