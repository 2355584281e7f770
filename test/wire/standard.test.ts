import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesOf, cut, decode, vectors, type Happening } from './vectors.ts'

/** WHATWG HTML 9.2.5 and 9.2.6 to the letter, for a stream that is there whole. Slow and plain on purpose. */
function standard(bytes: Uint8Array, lastEventId = ''): Happening[] {
  const said: Happening[] = []
  // Streams are decoded with the UTF-8 decode algorithm, which strips one leading BOM, if any.
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes).replace(/^\uFEFF/, '')
  // CRLF, an LF not after CR, and a CR not before LF are the ways in which a line can end.
  const lines = text.split(/\r\n|\n|\r/)
  // At the end of the stream what is pending is discarded: here the line, below the event.
  lines.pop()
  let dataBuffer = ''
  let eventTypeBuffer = ''
  let lastEventIdBuffer = lastEventId
  let idCame = false
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (line === '') dispatch()
    else if (colon === 0) said.push({ comment: line.slice(1).replace(/^ /, '') })
    else if (colon === -1) processField(line, '')
    else processField(line.slice(0, colon), line.slice(colon + 1).replace(/^ /, ''))
  }
  return said

  function processField(field: string, value: string): void {
    if (field === 'event') {
      eventTypeBuffer = value
    } else if (field === 'data') {
      dataBuffer += `${value}\n`
    } else if (field === 'id' && !value.includes('\0')) {
      lastEventIdBuffer = value
      idCame = true
    } else if (field === 'retry' && /^[0-9]+$/.test(value)) {
      said.push({ retry: Math.min(Number(value), 2147483647) })
    }
  }

  function dispatch(): void {
    if (dataBuffer !== '') {
      said.push({ message: { event: eventTypeBuffer || 'message', data: dataBuffer.slice(0, -1), id: lastEventIdBuffer } })
    } else if (idCame) {
      said.push({ cursor: lastEventIdBuffer })
    }
    dataBuffer = ''
    eventTypeBuffer = ''
    idCame = false
  }
}

const TEXTS = [
  'data',
  'event',
  'id',
  'retry',
  'x',
  '1',
  '20',
  ':',
  ': ',
  ' ',
  '\n',
  '\n',
  '\r',
  '\r\n',
  '\n\n',
  '\0',
  'data: x\n\n',
  'id: 7\n',
]
const STRANGE = ['\uFEFF', '\u00EF\u00BB\u00BF', '\u2028', '\u0085', '\v', '\u20AC', '\u{1F600}']
const BROKEN = [[0xef], [0xbb], [0xbf], [0xe2, 0x82], [0xf0, 0x9f], [0xff], [0xc0, 0x8a], [0xed, 0xa0, 0x80]]

const piece = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...TEXTS).map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: fc.constantFrom(...STRANGE).map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: fc.constantFrom(...BROKEN).map((bytes) => Buffer.from(bytes)) },
)
const stream = fc.array(piece, { maxLength: 40 }).map((pieces) => new Uint8Array(Buffer.concat(pieces)))

describe('the algorithm of the standard', () => {
  it('says of every vector what the vector expects', () => {
    for (const vector of vectors) expect(standard(bytesOf(vector), vector.lastEventId), vector.name).toEqual(vector.expect)
  })

  it('says of any stream what the decoder says of it, wherever the stream is cut', () => {
    fc.assert(
      fc.property(stream, fc.array(fc.nat()), fc.constantFrom('', 'earlier'), (bytes, at, lastEventId) => {
        expect(decode(cut(bytes, at), { lastEventId })).toEqual(standard(bytes, lastEventId))
      }),
      { numRuns: 5000 },
    )
  })

  it('says of any stream what the decoder says of it byte by byte', () => {
    fc.assert(
      fc.property(stream, (bytes) => {
        expect(decode(cut(bytes, [...bytes.keys()]))).toEqual(standard(bytes))
      }),
      { numRuns: 2000 },
    )
  })

  it('says of any bytes at all what the decoder says of them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), fc.array(fc.nat()), (bytes, at) => {
        expect(decode(cut(bytes, at))).toEqual(standard(bytes))
      }),
      { numRuns: 1000 },
    )
  })
})
