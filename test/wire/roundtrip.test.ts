import { EventwireError } from 'eventwire'
import { encode, type Message } from 'eventwire/wire'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cut, decode, utf8, type Happening } from './vectors.ts'

const SAFE = [
  '',
  ' ',
  ':',
  ': ',
  '\t',
  'data: x',
  'id: 1',
  'event: e',
  'retry: 5',
  '\uFEFF',
  '\u2028',
  '\u2029',
  '\u0085',
  '\v',
  '\f',
  '\u{1F600}',
]
const LINE_ENDS = ['\n', '\r', '\r\n', '\n\n', '\r\r', '\n\r', '\r\n\r\n', '\n\ndata: injected\n\n', '\nid: injected\n\n', '\rretry: 7\r\r']
const HALVES = ['\uD83D', '\uDE00', '\uD800', '\uDFFF', '\uDE00\uD83D']

/** Text of ordinary characters and of these pieces. */
function textWith(...pieces: string[]): fc.Arbitrary<string> {
  const characters = fc.oneof(fc.string({ unit: 'binary', maxLength: 5 }), fc.string({ unit: 'grapheme-ascii', maxLength: 5 }))
  return fc.array(fc.oneof(characters, fc.constantFrom(...pieces)), { maxLength: 6 }).map((parts) => parts.join(''))
}

const line = textWith(...SAFE).map((text) => text.replaceAll(/[\r\n\0]/g, ''))
const lines = textWith(...SAFE, ...LINE_ENDS, '\0')
const hostile = textWith(...SAFE, ...LINE_ENDS, ...HALVES, '\0')
const name = fc.oneof(
  line.filter((text) => text !== ''),
  fc.constantFrom('message', 'error', 'constructor', '__proto__', 'toString', '$ready'),
)
const delay = fc.oneof(fc.nat(), fc.constantFrom(0, 2 ** 31 - 1, 2 ** 31, Number.MAX_SAFE_INTEGER))

const common = { id: line, retry: delay, comment: lines }
const carriable: fc.Arbitrary<Message> = fc.oneof(
  fc.record({ ...common, event: name, data: lines }, { requiredKeys: ['data'] }),
  fc.record(common, { requiredKeys: [] }).filter((message) => Object.keys(message).length > 0),
)

const anything: fc.Arbitrary<Message> = fc.record(
  {
    id: fc.option(fc.oneof(line, hostile), { nil: undefined }),
    event: fc.option(fc.oneof(name, hostile, fc.constant('')), { nil: undefined }),
    data: fc.option(fc.oneof(lines, hostile), { nil: undefined }),
    retry: fc.option(fc.oneof(delay, fc.double(), fc.integer(), fc.constantFrom(NaN, Infinity, -Infinity, -0, 0.5, 2 ** 53)), {
      nil: undefined,
    }),
    comment: fc.option(fc.oneof(lines, hostile), { nil: undefined }),
  },
  { requiredKeys: [] },
)

/** Whether the format can carry the message, by the letter of WHATWG HTML 9.2.5 and 9.2.6. */
function canBeCarried({ id, event, data, retry, comment }: Message): boolean {
  const broken = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/
  const texts = [id, event, data, comment].filter((text) => text !== undefined)
  if (texts.length === 0 && retry === undefined) return false
  if (texts.some((text) => broken.test(text))) return false
  if ([id, event].some((text) => ['\r', '\n', '\0'].some((character) => text?.includes(character)))) return false
  if (event !== undefined && (event.length === 0 || data === undefined)) return false
  return retry === undefined || (retry >= 0 && retry < 2 ** 53 && retry % 1 === 0)
}

/** What a client hears of these messages, one after another. */
function heardOf(messages: readonly Message[]): Happening[] {
  let inForce = ''
  return messages.flatMap(({ id, event = 'message', data, retry, comment }) => {
    inForce = id ?? inForce
    const heard: Happening[] = comment === undefined ? [] : linesOf(comment).map((text) => ({ comment: text }))
    if (retry !== undefined) heard.push({ retry: retry === 0 ? 0 : Math.min(retry, 2147483647) })
    if (data !== undefined) heard.push({ message: { event, data: linesOf(data).join('\n'), id: inForce } })
    else if (id !== undefined) heard.push({ cursor: id })
    return heard
  })
}

function linesOf(text: string): string[] {
  return text.replaceAll('\r\n', '\n').replaceAll('\r', '\n').split('\n')
}

const refusedOr = (message: Message): string | undefined => {
  try {
    return encode(message)
  } catch (error) {
    expect(error).toBeInstanceOf(EventwireError)
    expect(error).toMatchObject({ code: 'invalid-message' })
    return undefined
  }
}

describe('a message that the format can carry', () => {
  it('arrives as it was sent, its line ends as LF, wherever the stream is cut', () => {
    fc.assert(
      fc.property(carriable, fc.array(fc.nat()), (message, at) => {
        expect(decode(cut(utf8(encode(message)), at))).toEqual(heardOf([message]))
      }),
      { numRuns: 3000 },
    )
  })

  it('arrives in its place among others, with the id in force', () => {
    fc.assert(
      fc.property(fc.array(carriable, { maxLength: 8 }), fc.array(fc.nat()), (messages, at) => {
        expect(decode(cut(utf8(messages.map(encode).join('')), at))).toEqual(heardOf(messages))
      }),
      { numRuns: 1000 },
    )
  })

  it('arrives whole when every byte comes alone', () => {
    fc.assert(
      fc.property(fc.array(carriable, { maxLength: 4 }), (messages) => {
        const bytes = utf8(messages.map(encode).join(''))
        expect(decode(cut(bytes, [...bytes.keys()]))).toEqual(heardOf(messages))
      }),
      { numRuns: 500 },
    )
  })

  it('is the same on the wire without a name and with the name message', () => {
    fc.assert(fc.property(lines, (data) => encode({ data, event: 'message' }) === encode({ data })))
  })

  it('comes out the same when what arrived is sent again', () => {
    fc.assert(
      fc.property(lines, line, name, (data, id, event) => {
        const [first] = decode([utf8(encode({ data, id, event }))])
        if (!first || !('message' in first)) throw new Error('nothing arrived')
        expect(decode([utf8(encode(first.message))])).toEqual([first])
      }),
    )
  })
})

describe('a message of any kind', () => {
  it('is refused exactly when the format cannot carry it', () => {
    const seen = { carried: 0, refused: 0 }
    fc.assert(
      fc.property(anything, (message) => {
        const text = refusedOr(message)
        seen[text === undefined ? 'refused' : 'carried']++
        expect(text !== undefined).toBe(canBeCarried(message))
      }),
      { numRuns: 10_000 },
    )
    expect(Math.min(seen.carried, seen.refused)).toBeGreaterThan(1000)
  })

  it('is one block: it has one blank line, which is its end', () => {
    fc.assert(
      fc.property(anything, (message) => {
        const text = refusedOr(message) ?? ':\n\n'
        expect(text).not.toContain('\r')
        expect(text.startsWith('\n')).toBe(false)
        expect(text.indexOf('\n\n')).toBe(text.length - 2)
      }),
      { numRuns: 5000 },
    )
  })

  it('cannot bring another with it, nor change the ones before and after', () => {
    const before = { id: 'before', event: 'first', data: 'a' }
    const after = { data: 'z' }
    fc.assert(
      fc.property(anything, (message) => {
        const text = refusedOr(message)
        const between = text === undefined ? [] : [message]
        const heard = decode([utf8(encode(before) + (text ?? '') + encode(after))])
        expect(heard.filter((happening) => 'message' in happening)).toHaveLength(
          2 + between.filter(({ data }) => data !== undefined).length,
        )
        expect(heard).toEqual(heardOf([before, ...between, after]))
      }),
      { numRuns: 5000 },
    )
  })
})
