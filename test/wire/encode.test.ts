import { EventwireError } from 'eventwire'
import { encode, type Message } from 'eventwire/wire'
import { describe, expect, it } from 'vitest'
import { decode, utf8, vectors, type Happening } from './vectors.ts'

describe('encode writes', () => {
  const texts: [fact: string, message: Message, text: string][] = [
    ['data on a data line', { data: 'x' }, 'data: x\n\n'],
    ['empty data as a data line without value', { data: '' }, 'data:\n\n'],
    ['a line of data for each LF', { data: 'a\nb\n\nc' }, 'data: a\ndata: b\ndata: \ndata: c\n\n'],
    ['a line of data for each CR', { data: 'a\rb' }, 'data: a\ndata: b\n\n'],
    ['a line of data for each CRLF', { data: 'a\r\nb' }, 'data: a\ndata: b\n\n'],
    ['two lines for LF CR', { data: 'a\n\rb' }, 'data: a\ndata: \ndata: b\n\n'],
    ['a last line for a line end at the end', { data: 'a\n' }, 'data: a\ndata: \n\n'],
    ['two lines for data that is one LF', { data: '\n' }, 'data: \ndata: \n\n'],
    ['a leading space after the space of the format', { data: ' x' }, 'data:  x\n\n'],
    ['a colon as it is', { data: ':x: y' }, 'data: :x: y\n\n'],
    ['NUL in data as it is', { data: 'a\0b' }, 'data: a\0b\n\n'],
    ['U+2028, U+2029 and U+0085 in data as they are', { data: '\u2028\u2029\u0085' }, 'data: \u2028\u2029\u0085\n\n'],
    ['a BOM in data as it is', { data: '\uFEFFx' }, 'data: \uFEFFx\n\n'],
    ['a character of two surrogates as it is', { data: '\u{1F600}' }, 'data: \u{1F600}\n\n'],
    ['a name before its data', { event: 'price', data: '1' }, 'event: price\ndata: 1\n\n'],
    ['no name for message, so that onmessage hears it', { event: 'message', data: 'x' }, 'data: x\n\n'],
    ['a name of another case than message', { event: 'Message', data: 'x' }, 'event: Message\ndata: x\n\n'],
    ['a name with its spaces and colons', { event: ' a: b ', data: '' }, 'event:  a: b \ndata:\n\n'],
    ['a name that object members have', { event: '__proto__', data: '' }, 'event: __proto__\ndata:\n\n'],
    ['an id without data', { id: '5' }, 'id: 5\n\n'],
    ['an empty id, which resets', { id: '' }, 'id: \n\n'],
    ['an id with its spaces', { id: ' 5 ' }, 'id:  5 \n\n'],
    ['retry in digits', { retry: 1500 }, 'retry: 1500\n\n'],
    ['retry of 0', { retry: 0 }, 'retry: 0\n\n'],
    ['retry of -0 as 0', { retry: -0 }, 'retry: 0\n\n'],
    ['a large retry in digits, without exponent', { retry: Number.MAX_SAFE_INTEGER }, 'retry: 9007199254740991\n\n'],
    ['a comment behind a colon', { comment: 'x' }, ': x\n\n'],
    ['an empty comment as a colon', { comment: '' }, ':\n\n'],
    ['a line of comment for each line end', { comment: 'a\nb\rc\r\nd' }, ': a\n: b\n: c\n: d\n\n'],
    ['a comment that looks like an event as a comment', { comment: '\n\ndata: x\n\n' }, ': \n: \n: data: x\n: \n: \n\n'],
    ['all fields in one block', { comment: 'c', id: '1', retry: 2, event: 'e', data: 'd' }, ': c\nid: 1\nretry: 2\nevent: e\ndata: d\n\n'],
    [
      'the fields in an order of its own',
      { data: 'd', event: 'e', retry: 2, id: '1', comment: 'c' },
      ': c\nid: 1\nretry: 2\nevent: e\ndata: d\n\n',
    ],
    ['nothing for fields that are undefined', { id: undefined, event: undefined, data: 'x', retry: undefined }, 'data: x\n\n'],
  ]
  it.each(texts)('%s', (_fact, message, text) => expect(encode(message)).toBe(text))
})

describe('encode refuses', () => {
  const half = '\uD83D'
  const refusals: [fact: string, field: string, message: Message][] = [
    ['LF in an id', 'id', { id: 'a\nb' }],
    ['CR in an id', 'id', { id: 'a\rb' }],
    ['CRLF at the end of an id', 'id', { id: 'a\r\n' }],
    ['NUL in an id', 'id', { id: '\0', data: 'x' }],
    ['the first half of a surrogate pair in an id', 'id', { id: `a${half}` }],
    ['an id that is a number', 'id', { id: 5 as never }],
    ['an id that is null', 'id', { id: null as never, data: 'x' }],
    ['LF in a name', 'event', { event: 'a\nb', data: 'x' }],
    ['CR in a name', 'event', { event: '\ra', data: 'x' }],
    ['NUL in a name', 'event', { event: 'a\0', data: 'x' }],
    ['half a surrogate pair in a name', 'event', { event: half, data: 'x' }],
    ['an empty name', 'event', { event: '', data: 'x' }],
    ['a name without data', 'event', { event: 'e' }],
    ['the name message without data', 'event', { event: 'message' }],
    ['a name without data, though there is an id', 'event', { event: 'e', id: '1' }],
    ['a name without data, though there are retry and a comment', 'event', { event: 'e', retry: 1, comment: '' }],
    ['a name that is a number', 'event', { event: 5 as never, data: 'x' }],
    ['a name that is null', 'event', { event: null as never, data: 'x' }],
    ['the first half of a surrogate pair in data', 'data', { data: `a${half}b` }],
    ['the second half of a surrogate pair in data', 'data', { data: '\uDE00' }],
    ['a surrogate pair the wrong way round in data', 'data', { data: '\uDE00\uD83D' }],
    ['data that is an object', 'data', { data: {} as never }],
    ['data that is null', 'data', { data: null as never }],
    ['half a surrogate pair in a comment', 'comment', { comment: half, data: 'x' }],
    ['a comment that is a number', 'comment', { comment: 1 as never }],
    ['a negative retry', 'retry', { retry: -1 }],
    ['a fractional retry', 'retry', { retry: 1.5 }],
    ['retry of NaN', 'retry', { retry: NaN, data: 'x' }],
    ['retry of Infinity', 'retry', { retry: Infinity }],
    ['retry of -Infinity', 'retry', { retry: -Infinity }],
    ['a retry too large to be exact', 'retry', { retry: 2 ** 53 }],
    ['a retry that is text', 'retry', { retry: '5' as never }],
    ['a retry that is a bigint', 'retry', { retry: 5n as never }],
    ['a retry that is null', 'retry', { retry: null as never }],
    ['a message of nothing', 'message', {}],
    ['a message of nothing but undefined', 'message', { id: undefined, event: undefined, data: undefined }],
  ]
  it.each(refusals)('%s, and names the field: %s', (_fact, field, message) => {
    const refusal = refusalOf(message)
    expect(refusal).toBeInstanceOf(EventwireError)
    expect(refusal).toMatchObject({ code: 'invalid-message', message: expect.stringContaining(`: ${field} `) })
  })

  it('a long id without putting all of it into the error', () => {
    expect(String(refusalOf({ id: `${'7'.repeat(100_000)}\n` })).length).toBeLessThan(1000)
  })

  it('the names with NUL that a foreign stream may bring', () => {
    const foreign = vectors.flatMap((vector) => vector.expect).filter((happening) => !carried(happening))
    expect(foreign).not.toHaveLength(0)
    for (const happening of foreign) expect(refusalOf(messageOf(happening))).toMatchObject({ code: 'invalid-message' })
  })
})

describe('what a stream says can be said again', () => {
  for (const { name, expect: said } of vectors) {
    const happenings = said.filter(carried)
    if (happenings.length > 0) {
      it(name, () => expect(decode([utf8(happenings.map((happening) => encode(messageOf(happening))).join(''))])).toEqual(happenings))
    }
  }
})

/** The format brings an event name with NUL, but not every client hears it, so `encode` does not write it. */
function carried(happening: Happening): boolean {
  return !('message' in happening && happening.message.event.includes('\0'))
}

function messageOf(happening: Happening): Message {
  if ('message' in happening) return happening.message
  return 'cursor' in happening ? { id: happening.cursor } : happening
}

function refusalOf(message: Message): unknown {
  try {
    return encode(message)
  } catch (error) {
    return error
  }
}
