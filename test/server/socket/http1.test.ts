import { expect, test } from 'vitest'
import { Http1Reader } from './http1.ts'

const HEAD = 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'

function read(...parts: readonly string[]): Http1Reader {
  const reader = new Http1Reader()
  reader.asked.push('GET')
  for (const part of parts) reader.push(Buffer.from(part, 'latin1'))
  return reader
}

test('what the other tests read with takes chunks however they are cut', () => {
  const whole = `${HEAD}5\r\nhello\r\n1A\r\n${'x'.repeat(26)}\r\n0\r\nsum: 1\r\n\r\n`
  for (const reader of [read(whole), read(...whole.split(''))]) {
    const [response] = reader.responses
    expect(Buffer.concat(response!.pieces).toString()).toBe(`hello${'x'.repeat(26)}`)
    expect([response!.complete, response!.trailers.get('sum')]).toEqual([true, '1'])
  }
})

test.each([
  ['a chunk that is shorter than it says', `${HEAD}6\r\nhello\r\n0\r\n\r\n`],
  ['a chunk that is longer than it says', `${HEAD}4\r\nhello\r\n0\r\n\r\n`],
  ['bytes without a frame', `${HEAD}event: $ready\r\n`],
  ['a line that ends with LF alone', `${HEAD}5\nhello\r\n`],
  ['bytes behind the last chunk', `${HEAD}0\r\n\r\n5\r\nhello\r\n`],
  ['a second last chunk', `${HEAD}0\r\n\r\n0\r\n\r\n`],
  ['both a length and chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n'],
  ['bytes behind a length', 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nabc'],
])('it refuses %s', (_what, text) => {
  expect(() => read(text)).toThrow()
})
