import { beforeEach, expect, test } from 'vitest'
import { serveTcp } from '../../support/serve.ts'
import { subscribe } from '../../support/subscribe.ts'
import { END, firstFate, headWith, heardUntilEnd, shortWaits } from './support.ts'

beforeEach(shortWaits)

test.each([
  ['upper case', 'TEXT/EVENT-STREAM;CHARSET=UTF-8'],
  ['space around', ' \ttext/event-stream\t '],
  ['a charset that it is not in', 'text/event-stream; charset=utf-16le'],
  ['a charset that there is not', 'text/event-stream; charset=nonsense'],
  ['a quoted charset', 'text/event-stream;charset="utf-8"'],
  ['parameters without values', 'text/event-stream;;a;b=;=c'],
  ['a comma within quotes', 'text/event-stream; x="a, text/html"'],
  ['a page first, as one header', 'text/html, text/event-stream'],
  ['a page first, as two headers', 'text/html\r\ncontent-type: text/event-stream'],
  ['nothing behind it', 'text/event-stream,'],
  ['an empty header behind it', 'text/event-stream\r\ncontent-type: '],
  ['what is no type behind it', 'text/event-stream, nonsense'],
  ['any type behind it', 'text/event-stream, */*'],
  ['another charset behind it', 'text/event-stream; charset=utf-8, text/event-stream; charset=latin1'],
])('opens on a content type that is written oddly, and reads UTF-8: %s', async (_, type) => {
  const { url } = await serveTcp((socket) => void socket.end(`${headWith(`content-type: ${type}\r\n`)}data: grün 🙂\n\n${END}`))
  expect(await heardUntilEnd(url)).toEqual(['grün 🙂'])
})

test.each([
  ['a page behind it, as one header', 'text/event-stream, text/html'],
  ['a page behind it, as two headers', 'text/event-stream\r\ncontent-type: text/html; charset=utf-8'],
  ['a name within another', 'application/text/event-stream'],
  ['a longer name', 'text/event-stream-2'],
  ['a suffix', 'text/event-stream+json'],
  ['space within', 'text / event-stream'],
  ['half of it', 'text'],
  ['a parameter alone', ';charset=utf-8'],
  ['quotes around it', '"text/event-stream"'],
  ['any type', '*/*'],
  ['plain text', 'text/plain; text/event-stream'],
  ['no value', ''],
  ['another kind of stream', 'application/x-ndjson'],
])('is fatal on a content type that is another: %s', async (_, type) => {
  const { url, attempts } = await serveTcp((socket) => void socket.end(`${headWith(`content-type: ${type}\r\n`)}data: x\n\n`))
  expect(await firstFate(subscribe(url))).toMatchObject({
    state: 'closed',
    reason: 'fatal',
    error: { code: 'bad-content-type', status: 200, body: 'data: x\n\n' },
  })
  expect(attempts).toHaveLength(1)
})

test.each([
  ['a length of 0', 'content-length: 0\r\n'],
  ['no type either', ''],
])('a 200 of no body that is no stream is fatal: %s', async (_, lines) => {
  const { url } = await serveTcp((socket) => void socket.end(headWith(lines)))
  expect(await firstFate(subscribe(url))).toMatchObject({ state: 'closed', error: { code: 'bad-content-type', body: '' } })
})

test('an empty stream opens and ends like any other', async () => {
  const { url } = await serveTcp((socket, attempt) => {
    socket.end(
      attempt === 1
        ? headWith('content-type: text/event-stream\r\ncontent-length: 0\r\n')
        : `${headWith('content-type: text/event-stream\r\n')}${END}`,
    )
  })
  expect(await heardUntilEnd(url)).toEqual([])
})

test('an excerpt of a refusal is a kilobyte at most, cut within no character', async () => {
  const { url } = await serveTcp((socket) => void socket.end(`${headWith('content-type: text/html\r\n')}x${'ü'.repeat(5_000)}`))
  expect(await firstFate(subscribe(url))).toHaveProperty('error.body', `x${'ü'.repeat(511)}`)
})
