import type { StandardSchemaV1 } from '@standard-schema/spec'
import { defineEvents, EventwireError, text, type EventSchemas } from 'eventwire'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { isContract } from '../src/contract.ts'
import { caught } from './support/caught.ts'

describe('the names of events', () => {
  test.each([
    ['an empty name', '', 'Event "": a name must not be empty.'],
    ['CR', 'price\rhalted', String.raw`Event "price\rhalted": a name must not hold CR, LF or NUL; they would end the line on the wire.`],
    ['LF', 'price\n', String.raw`Event "price\n": a name must not hold CR, LF or NUL; they would end the line on the wire.`],
    ['NUL', '\0price', String.raw`Event "\u0000price": a name must not hold CR, LF or NUL; they would end the line on the wire.`],
    ['a leading $', '$price', 'Event "$price": names that start with $ are reserved for the protocol.'],
    ['"$" alone', '$', 'Event "$": names that start with $ are reserved for the protocol.'],
    ['"error"', 'error', 'Event "error": EventSource fires an event of this name itself; choose another.'],
    ['"open"', 'open', 'Event "open": EventSource fires an event of this name itself; choose another.'],
    [
      'the first half of a surrogate pair',
      'price\ud83d',
      String.raw`Event "price\ud83d": a name must not hold half a surrogate pair; UTF-8 cannot carry it.`,
    ],
    [
      'the second half of a surrogate pair',
      '\ude00',
      String.raw`Event "\ude00": a name must not hold half a surrogate pair; UTF-8 cannot carry it.`,
    ],
  ])('%s is refused, and the error names it', (_, name, message) => {
    const error = caught(() => defineEvents({ price: z.number(), [name]: z.string() }))
    expect(error).toMatchObject({ code: 'invalid-contract', event: name, message })
  })

  test.each([
    'price',
    'message',
    'close',
    'Error',
    'opened',
    'us$',
    'constructor',
    'toString',
    'hasOwnProperty',
    'then',
    '0',
    'price changed',
    ' ',
    'цена',
    '価格',
    '😀',
    'data: x',
    '\u2028',
  ])('%j is a name like any other', (name) => {
    const contract = defineEvents({ [name]: z.string() })
    expect(Object.keys(contract.schemas)).toEqual([name])
    expect(contract.serialize(name, 'up')).toBe('"up"')
    expect(contract.deserialize(name, '"up"')).toBe('up')
  })

  test('__proto__ is a name like any other, from a computed key and from Object.fromEntries', () => {
    for (const schemas of [{ ['__proto__']: z.string() }, Object.fromEntries([['__proto__', z.string()]])]) {
      const contract = defineEvents<EventSchemas>(schemas, { ends: ['__proto__'] })
      expect(Object.keys(contract.schemas)).toEqual(['__proto__'])
      expect(contract.serialize('__proto__', 'up')).toBe('"up"')
      expect(contract.deserialize('__proto__', '"up"')).toBe('up')
    }
  })

  test('what every object inherits is no event', () => {
    const contract = defineEvents({ price: z.number(), halted: z.string() })
    for (const event of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      const message = `The contract has no event "${event}". It has: price, halted.`
      expect(caught(() => contract.serialize(event, 1))).toMatchObject({ code: 'unknown-event', event, message })
      expect(caught(() => contract.deserialize(event, '1'))).toMatchObject({ code: 'unknown-event', event, message })
    }
  })

  test('what the object of schemas inherits is no event', () => {
    const schemas = Object.assign(Object.create({ halted: z.string() }) as EventSchemas, { price: z.number() })
    expect(Object.keys(defineEvents(schemas).schemas)).toEqual(['price'])
    expect(caught(() => defineEvents(schemas).serialize('halted', 'x')).code).toBe('unknown-event')
  })

  test('a contract without events says so', () => {
    expect(caught(() => defineEvents({}).serialize('price', 1)).message).toBe('The contract has no event "price". It has none.')
  })
})

describe('the schemas of events', () => {
  test.each([
    ['undefined', undefined],
    ['null', null],
    ['a number', 64],
    ['a string', 'number'],
    ['an example of the data', { symbol: 'BTC', usd: 64_000 }],
    ['a function', () => true],
    ['a standard without validate', { '~standard': { version: 1, vendor: 'nobody' } }],
    ['an empty standard', { '~standard': null }],
    ['text without its parentheses', text],
  ])('%s is no schema, and the error names the event', (_, value) => {
    const error = caught(() => defineEvents({ price: z.number(), halted: value } as unknown as EventSchemas))
    expect(error).toMatchObject({
      code: 'invalid-contract',
      event: 'halted',
      message: 'Event "halted": its value is no Standard Schema. Give a schema of zod, valibot, arktype or the like, or text().',
    })
  })

  test('a schema may be a function that carries the standard', () => {
    const schema = Object.assign(
      () => {},
      accepting((value) => ({ value })),
    )
    expect(defineEvents({ price: schema }).serialize('price', 1)).toBe('1')
  })

  test.each([
    ['undefined', undefined],
    ['null', null],
    ['string', 'price'],
    ['array', [z.string()]],
    ['function', () => ({})],
  ])('%s instead of an object of schemas is refused', (what, value) => {
    const error = caught(() => defineEvents(value as unknown as EventSchemas))
    expect(error).toMatchObject({
      code: 'invalid-contract',
      message: `defineEvents takes an object of schemas by event name, not ${what}.`,
    })
  })

  test('are those of the moment of definition, frozen, and without a prototype', () => {
    const schemas: Record<string, StandardSchemaV1> = { price: z.number() }
    const contract = defineEvents(schemas)
    schemas['halted'] = z.string()
    delete schemas['price']

    expect(Object.keys(contract.schemas)).toEqual(['price'])
    expect(Object.getPrototypeOf(contract.schemas)).toBeNull()
    expect(Object.isFrozen(contract.schemas)).toBe(true)
    expect(() => Object.assign(contract.schemas, { halted: z.string() })).toThrow(TypeError)
    expect(contract.serialize('price', 1)).toBe('1')
    expect(caught(() => contract.serialize('halted', 'x')).code).toBe('unknown-event')
  })
})

describe('the options of a contract', () => {
  test('ends that name no event are refused', () => {
    const misspelt = 'finished' as 'done'
    const error = caught(() => defineEvents({ progress: z.number(), done: z.null() }, { ends: ['done', misspelt] }))
    expect(error).toMatchObject({
      code: 'invalid-contract',
      message: 'ends: "finished" is not an event of this contract. It has: progress, done.',
    })
    const inherited = 'toString' as 'done'
    expect(caught(() => defineEvents({ done: z.null() }, { ends: [inherited] })).code).toBe('invalid-contract')
  })

  test('an end may be a mark: an event, and the text that makes it the last', () => {
    const mark = { event: 'message', data: '[DONE]' } as const
    const contract = defineEvents({ message: z.object({ token: z.string() }), failed: z.null() }, { ends: [mark, 'failed'] })
    expect(contract.ends).toEqual([{ event: 'message', data: '[DONE]' }, 'failed'])
    expect(defineEvents({ message: text() }, { ends: [{ event: 'message', data: '' }] }).ends).toEqual([{ event: 'message', data: '' }])
  })

  test.each([
    ['that is misspelt', 'messages', 'ends: "messages" is not an event of this contract. It has: message, done.'],
    ['that objects inherit', 'toString', 'ends: "toString" is not an event of this contract. It has: message, done.'],
  ])('a mark of an event %s is refused', (_, event, message) => {
    const mark = { event: event as 'message', data: '[DONE]' }
    const error = caught(() => defineEvents({ message: text(), done: z.null() }, { ends: ['done', mark] }))
    expect(error).toMatchObject({ code: 'invalid-contract', message })
  })

  test.each([
    ['null', null],
    ['undefined', undefined],
    ['a number', 5],
    ['a list', ['done']],
    ['an empty object', {}],
    ['a mark without its text', { event: 'message' }],
    ['a mark whose text is none', { event: 'message', data: { done: true } }],
    ['a mark without its event', { data: '[DONE]' }],
    ['a mark whose event is no name', { event: null, data: '[DONE]' }],
  ])('an end that is neither a name nor a mark is refused, and the error says which: %s', (_, end) => {
    const error = caught(() => defineEvents({ message: text(), done: z.null() }, { ends: ['done', end as 'done'] }))
    expect(error).toMatchObject({ code: 'invalid-contract', message: 'ends[1] is neither a name nor { event, data: text }.' })
  })

  test('a mark can be read and not changed', () => {
    const mark = { event: 'message' as const, data: '[DONE]' }
    const { ends } = defineEvents({ message: text() }, { ends: [mark] })
    mark.data = '[OVER]'
    expect(ends).toEqual([{ event: 'message', data: '[DONE]' }])
    expect(Object.isFrozen(ends[0])).toBe(true)
  })

  test('name, ends and the raw-text events can be read and not changed', () => {
    const ends: 'done'[] = ['done']
    const contract = defineEvents({ token: text(), log: text(), done: z.null() }, { name: 'tokens', ends })
    ends.push('done')
    expect(contract).toMatchObject({ name: 'tokens', ends: ['done'], text: ['token', 'log'] })
    expect(Object.isFrozen(contract.ends)).toBe(true)
    expect(Object.isFrozen(contract.text)).toBe(true)
  })

  test('a contract has no name, no ends and no raw text unless it says so', () => {
    expect(defineEvents({ price: z.number() })).toMatchObject({ name: undefined, ends: [], text: [] })
  })

  test('a contract is recognised, and what looks like one is not', () => {
    const contract = defineEvents({ price: z.number() })
    expect(isContract(contract)).toBe(true)
    for (const other of [undefined, null, 'contract', {}, { ...contract.schemas }, { schemas: {}, serialize() {}, deserialize() {} }]) {
      expect(isContract(other)).toBe(false)
    }
  })
})

describe('validation', () => {
  const trade = z.object({ symbol: z.string(), fills: z.array(z.object({ usd: z.number() })) })
  const bad = { symbol: 'BTC', fills: [{ usd: 1 }, { usd: '2' }] }
  const message = 'Event "trade": fills.1.usd: Invalid input: expected number, received string'

  test('on the way out refuses wrong data with the issues and where they are', () => {
    const error = caught(() => defineEvents({ trade }).serialize('trade', bad))
    expect(error).toMatchObject({ code: 'invalid-payload', event: 'trade', message })
    expect(error.issues).toMatchObject([{ path: ['fills', 1, 'usd'], message: 'Invalid input: expected number, received string' }])
  })

  test('on the way in refuses wrong data with the issues and where they are', () => {
    const error = caught(() => defineEvents({ trade }).deserialize('trade', JSON.stringify(bad)))
    expect(error).toMatchObject({ code: 'invalid-payload', event: 'trade', message })
    expect(error.issues).toMatchObject([{ path: ['fills', 1, 'usd'] }])
  })

  test('on the way in refuses text that is no JSON', () => {
    const error = caught(() => defineEvents({ trade }).deserialize('trade', '{"symbol":'))
    expect(error).toMatchObject({ code: 'invalid-payload', event: 'trade' })
    expect(error.message).toBe('The data of event "trade" could not be read: Unexpected end of JSON input')
    expect(error.cause).toBeInstanceOf(SyntaxError)
  })

  test('several issues stand in one message', () => {
    const price = z.object({ symbol: z.string(), usd: z.number() })
    expect(caught(() => defineEvents({ price }).serialize('price', {})).message).toBe(
      'Event "price": symbol: Invalid input: expected string, received undefined; usd: Invalid input: expected number, received undefined',
    )
  })

  test('paths may be keys, symbols and segments', () => {
    const schema = accepting(() => ({ issues: [{ message: 'Too low', path: ['bids', { key: 0 }, Symbol('usd')] }] }))
    expect(caught(() => defineEvents({ price: schema }).serialize('price', 1)).message).toBe('Event "price": bids.0.Symbol(usd): Too low')
  })

  test('an issue about the whole value has no path', () => {
    expect(caught(() => defineEvents({ price: z.number() }).serialize('price', 'high')).message).toBe(
      'Event "price": Invalid input: expected number, received string',
    )
  })

  test('what crosses the wire is the output of the schema: unlisted keys never leak', () => {
    const contract = defineEvents({ user: z.object({ name: z.string(), address: z.object({ city: z.string() }) }) })
    const row = { name: 'Ada', password: 'secret', address: { city: 'London', street: 'St James’s Square' } }
    for (let time = 0; time < 2; time++) {
      expect(contract.serialize('user', row)).toBe('{"name":"Ada","address":{"city":"London"}}')
    }
    expect(contract.deserialize('user', JSON.stringify(row))).toEqual({ name: 'Ada', address: { city: 'London' } })
  })

  test('does not change what was given to it', () => {
    const contract = defineEvents({ price: z.object({ usd: z.number().default(1) }) })
    const input = Object.freeze({})
    expect(contract.serialize('price', input)).toBe('{"usd":1}')
    expect(input).toEqual({})
  })

  test('a schema that throws has refused the value', () => {
    const broken = accepting(() => {
      throw new RangeError('out of range')
    })
    const contract = defineEvents({ price: broken })
    for (const refuse of [() => contract.serialize('price', 1), () => contract.deserialize('price', '1')]) {
      const error = caught(refuse)
      expect(error).toMatchObject({ code: 'invalid-payload', event: 'price' })
      expect(error.message).toBe('The data of event "price" could not be validated: out of range')
      expect(error.cause).toBeInstanceOf(RangeError)
    }
  })

  test('a schema that throws what is no error has refused the value, too', () => {
    const broken = accepting(() => {
      throw 'no'
    })
    expect(caught(() => defineEvents({ price: broken }).serialize('price', 1)).message).toBe(
      'The data of event "price" could not be validated: no',
    )
  })
})

describe('asynchronous schemas', () => {
  const price = accepting(async (value) => (typeof value === 'number' ? { value } : { issues: [{ message: 'Expected a number' }] }))

  test('give promises, both ways', async () => {
    const contract = defineEvents({ price })
    const written = contract.serialize('price', 1)
    expect(written).toBeInstanceOf(Promise)
    await expect(written).resolves.toBe('1')
    await expect(contract.deserialize('price', '1')).resolves.toBe(1)
  })

  test('refuse by rejecting, both ways', async () => {
    const contract = defineEvents({ price })
    const refusal = { code: 'invalid-payload', event: 'price', message: 'Event "price": Expected a number' }
    await expect(contract.serialize('price', 'high')).rejects.toMatchObject(refusal)
    await expect(contract.deserialize('price', '"high"')).rejects.toMatchObject(refusal)
  })

  test('that reject have refused the value', async () => {
    const cause = new Error('no database')
    const contract = defineEvents({ price: accepting(() => Promise.reject(cause)) })
    const refusal = {
      code: 'invalid-payload',
      event: 'price',
      message: 'The data of event "price" could not be validated: no database',
      cause,
    }
    await expect(contract.serialize('price', 1)).rejects.toMatchObject(refusal)
    await expect(contract.deserialize('price', '1')).rejects.toMatchObject(refusal)
  })

  test('are checked for the way back, too', async () => {
    const contract = defineEvents({ price: z.string().transform(async (usd) => Number(usd)) })
    await expect(contract.serialize('price', '64')).rejects.toMatchObject({ code: 'one-way-schema', event: 'price' })
  })

  test('a synchronous schema gives its text and its errors at once', () => {
    const contract = defineEvents({ price: z.number() })
    expect(contract.serialize('price', 1)).toBe('1')
    expect(contract.deserialize('price', '1')).toBe(1)
    expect(() => contract.serialize('price', 'high')).toThrow(EventwireError)
    expect(() => contract.deserialize('price', 'high')).toThrow(EventwireError)
  })
})

describe('a schema whose output does not survive the wire', () => {
  test('is refused at the first emit when it does not take its own output', () => {
    const contract = defineEvents({ price: z.object({ usd: z.string().transform(Number) }) })
    const error = caught(() => contract.serialize('price', { usd: '64' }))
    expect(error).toMatchObject({
      code: 'one-way-schema',
      event: 'price',
      issues: [{ path: ['usd'], message: 'Invalid input: expected string, received number' }],
    })
    expect(error.message).toBe(
      'The schema of event "price" does not survive the wire: usd: Invalid input: expected string, received number. ' +
        'Clients validate what the server sends with the same schema, so its output must be valid input that stays as it is. ' +
        'Transform before emit, or in the handler.',
    )
  })

  test('is refused at the first emit when it changes its own output', () => {
    const contract = defineEvents({ headline: z.string().transform((line) => `${line}!`) })
    const error = caught(() => contract.serialize('headline', 'BTC up'))
    expect(error).toMatchObject({ code: 'one-way-schema', event: 'headline', issues: [] })
    expect(error.message).toBe(
      'The schema of event "headline" does not survive the wire: read again, the value came out different. ' +
        'Clients validate what the server sends with the same schema, so its output must be valid input that stays as it is. ' +
        'Transform before emit, or in the handler.',
    )
  })

  test('is refused at every emit, not only the first', () => {
    const contract = defineEvents({ price: z.string().transform(Number) })
    for (let time = 0; time < 3; time++) expect(caught(() => contract.serialize('price', '64')).code).toBe('one-way-schema')
  })

  test('is refused when JSON turns its value into something it does not take', () => {
    const contract = defineEvents({ at: z.date(), ids: z.set(z.number()), tags: z.map(z.string(), z.string()) })
    expect(caught(() => contract.serialize('at', new Date(0))).message).toContain('Invalid input: expected date, received string')
    expect(caught(() => contract.serialize('ids', new Set([1]))).code).toBe('one-way-schema')
    expect(caught(() => contract.serialize('tags', new Map())).code).toBe('one-way-schema')
  })

  test.each<[string, StandardSchemaV1, unknown, string]>([
    ['a date that is read from its text', z.coerce.date(), new Date(0), '"1970-01-01T00:00:00.000Z"'],
    ['trimming', z.string().trim(), '  BTC ', '"BTC"'],
    ['lower case', z.string().toLowerCase(), 'BTC', '"btc"'],
    ['a default', z.object({ usd: z.number(), currency: z.string().default('USD') }), { usd: 1 }, '{"usd":1,"currency":"USD"}'],
    ['a fallback', z.number().catch(0), 'high', '0'],
    ['an optional field', z.object({ usd: z.number().optional() }), { usd: undefined }, '{}'],
    ['null', z.null(), null, 'null'],
    ['a union', z.union([z.number(), z.string()]), '64', '"64"'],
    ['keys in another order', z.object({ usd: z.number(), symbol: z.string() }), { symbol: 'BTC', usd: 1 }, '{"usd":1,"symbol":"BTC"}'],
  ])('does not mean %s', (_, schema, input, written) => {
    const contract = defineEvents({ price: schema })
    expect(contract.serialize('price', input)).toBe(written)
    expect(JSON.stringify(contract.deserialize('price', written))).toBe(written)
  })

  test('is found out behind a first value that happens to survive', () => {
    const contract = defineEvents({ shouted: z.string().transform((word) => (word === 'x' ? word : `${word}!`)), at: z.date().nullable() })
    expect(contract.serialize('shouted', 'x')).toBe('"x"')
    expect(caught(() => contract.serialize('shouted', 'y')).code).toBe('one-way-schema')
    expect(contract.serialize('at', null)).toBe('null')
    expect(caught(() => contract.serialize('at', new Date())).code).toBe('one-way-schema')
  })

  test('is looked for in the first 32 successes of each event, and costs nothing after', () => {
    const runs = { price: 0, halted: 0 }
    const counted = (event: keyof typeof runs): StandardSchemaV1 =>
      accepting((value) => {
        runs[event]++
        return typeof value === 'number' ? { value } : { issues: [{ message: 'Expected a number' }] }
      })
    const contract = defineEvents({ price: counted('price'), halted: counted('halted') })

    expect(caught(() => contract.serialize('price', 'high')).code).toBe('invalid-payload')
    expect(runs).toEqual({ price: 1, halted: 0 })
    for (let i = 0; i < 32; i++) expect(contract.serialize('price', i)).toBe(String(i))
    expect(runs).toEqual({ price: 65, halted: 0 })
    expect(contract.serialize('price', 2)).toBe('2')
    expect(runs).toEqual({ price: 66, halted: 0 })
    expect(contract.serialize('halted', 1)).toBe('1')
    expect(runs).toEqual({ price: 66, halted: 2 })
  })
})

describe('data that cannot be serialised', () => {
  const contract = defineEvents({ price: z.unknown() })

  test('a circular object is refused', () => {
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    const error = caught(() => contract.serialize('price', circular))
    expect(error).toMatchObject({ code: 'invalid-payload', event: 'price' })
    expect(error.message).toMatch(/^The data of event "price" could not be serialised: Converting circular structure to JSON/)
    expect(error.cause).toBeInstanceOf(TypeError)
  })

  test('a bigint is refused', () => {
    expect(caught(() => contract.serialize('price', { usd: 1n }))).toMatchObject({
      code: 'invalid-payload',
      message: 'The data of event "price" could not be serialised: Do not know how to serialize a BigInt',
    })
  })

  test('a toJSON that throws is refused', () => {
    const stubborn = {
      toJSON() {
        throw new Error('not me')
      },
    }
    expect(caught(() => contract.serialize('price', stubborn)).message).toBe('The data of event "price" could not be serialised: not me')
  })

  test.each([
    ['function', () => 1],
    ['undefined', undefined],
    ['symbol', Symbol('price')],
  ])('%s is refused', (type, value) => {
    expect(caught(() => contract.serialize('price', value))).toMatchObject({
      code: 'invalid-payload',
      event: 'price',
      message: `The data of event "price" serialises to nothing (${type}).`,
    })
  })

  test('is refused also after the event has succeeded once', () => {
    expect(contract.serialize('price', 1)).toBe('1')
    expect(caught(() => contract.serialize('price', 1n)).code).toBe('invalid-payload')
    expect(caught(() => contract.serialize('price', undefined)).code).toBe('invalid-payload')
  })
})

describe('a serialiser of one’s own', () => {
  /** JSON that keeps dates: each is written as an object with a tag. */
  const dated = {
    serialize: (data: unknown): string => JSON.stringify(tagged(data)),
    deserialize: (written: string): unknown => JSON.parse(written, (_, value: unknown) => (isTag(value) ? new Date(value.$date) : value)),
  }
  type Tag = { $date: string }
  const isTag = (value: unknown): value is Tag => typeof value === 'object' && value !== null && '$date' in value
  const tagged = (value: unknown): unknown => {
    if (value instanceof Date) return { $date: value.toISOString() }
    if (Array.isArray(value)) return value.map(tagged)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, tagged(member)]))
  }
  const at = new Date('2026-01-02T03:04:05.678Z')

  test('carries what JSON cannot', () => {
    const contract = defineEvents({ trade: z.object({ at: z.date() }) }, dated)
    const written = contract.serialize('trade', { at })
    expect(written).toBe('{"at":{"$date":"2026-01-02T03:04:05.678Z"}}')
    expect(contract.deserialize('trade', '{"at":{"$date":"2026-01-02T03:04:05.678Z"}}')).toEqual({ at })
    expect(caught(() => defineEvents({ trade: z.object({ at: z.date() }) }).serialize('trade', { at })).code).toBe('one-way-schema')
  })

  test('gets the output of the schema and gives it what it read', () => {
    const contract = defineEvents({ trade: z.object({ at: z.date(), note: z.string().default('none') }) }, dated)
    expect(contract.serialize('trade', { at, secret: 1 })).toBe('{"at":{"$date":"2026-01-02T03:04:05.678Z"},"note":"none"}')
    expect(caught(() => contract.deserialize('trade', '{"at":"yesterday"}'))).toMatchObject({
      code: 'invalid-payload',
      message: 'Event "trade": at: Invalid input: expected date, received string',
    })
  })

  test('is not asked for raw text', () => {
    const never = (): never => {
      throw new Error('asked')
    }
    const contract = defineEvents({ token: text() }, { serialize: never, deserialize: never })
    expect(contract.serialize('token', 'a')).toBe('a')
    expect(contract.deserialize('token', 'a')).toBe('a')
  })

  test('that throws has refused the data', () => {
    const fails = (): never => {
      throw new Error('too deep')
    }
    const writing = defineEvents({ price: z.number() }, { serialize: fails })
    expect(caught(() => writing.serialize('price', 1))).toMatchObject({
      code: 'invalid-payload',
      event: 'price',
      message: 'The data of event "price" could not be serialised: too deep',
    })
    const reading = defineEvents({ price: z.number() }, { deserialize: fails })
    expect(caught(() => reading.deserialize('price', '1'))).toMatchObject({
      code: 'invalid-payload',
      event: 'price',
      message: 'The data of event "price" could not be read: too deep',
    })
  })

  test('that gives no text has refused the data', () => {
    const bytes = (() => new Uint8Array(1)) as unknown as () => string
    expect(caught(() => defineEvents({ price: z.number() }, { serialize: bytes }).serialize('price', 1)).code).toBe('invalid-payload')
  })

  test('without its inverse is caught at the first emit', () => {
    const contract = defineEvents({ trade: z.object({ at: z.date() }) }, { serialize: dated.serialize })
    expect(caught(() => contract.serialize('trade', { at })).code).toBe('one-way-schema')
  })
})

describe('raw text', () => {
  const contract = defineEvents({ message: text(), price: z.number() })

  test.each(['', 'hello', '"quoted"', '{"usd":1}', ' leading', 'two\nlines', '😀', 'null', '64'])(
    '%j crosses the wire as it is, without quotes',
    (line) => {
      expect(contract.serialize('message', line)).toBe(line)
      expect(contract.deserialize('message', line)).toBe(line)
    },
  )

  test.each([
    ['number', 64],
    ['undefined', undefined],
    ['object', { usd: 1 }],
    ['boolean', true],
  ])('%s is refused', (type, value) => {
    expect(caught(() => contract.serialize('message', value))).toMatchObject({
      code: 'invalid-payload',
      event: 'message',
      message: `Event "message": Expected text, received ${type}`,
      issues: [{ message: `Expected text, received ${type}` }],
    })
  })

  test('stands beside events of JSON', () => {
    expect(contract.text).toEqual(['message'])
    expect(contract.serialize('price', 64)).toBe('64')
  })
})

/** A schema of no library. */
function accepting(validate: StandardSchemaV1.Props['validate']): StandardSchemaV1 {
  return { '~standard': { version: 1, vendor: 'test', validate } }
}

test('an option that is misspelt is refused', () => {
  // @ts-expect-error it is called ends
  expect(() => defineEvents({ done: text() }, { end: ['done'] })).toThrow('defineEvents has no end; it takes name, ends')
})
