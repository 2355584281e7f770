import type { IncomingMessage, ServerResponse } from 'node:http'
import { beforeEach, expect, test } from 'vitest'
import type { SubscriberOptions } from 'eventwire/client'
import { serve } from '../../support/serve.ts'
import { subscribe } from '../../support/subscribe.ts'
import { END, shortWaits } from './support.ts'

beforeEach(shortWaits)

interface Post {
  readonly method: string | undefined
  readonly body: string
  readonly type: string | undefined
  readonly cursor: string | string[] | undefined
}

type Answer = (response: ServerResponse) => void

const SSE = { 'content-type': 'text/event-stream' }
const status =
  (code: number): Answer =>
  (response) =>
    void response.writeHead(code).end('no')
const stream =
  (text: string): Answer =>
  (response) =>
    void response.writeHead(200, SSE).end(text)
const reset: Answer = ({ socket }) => void socket!.resetAndDestroy()
const silence: Answer = () => {}
const cut: Answer = (response) => void response.writeHead(200, SSE).write('data: a\n\n', () => response.socket!.destroy())

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const part of request.setEncoding('utf8')) body += part as string
  return body
}

/** Answers post after post, whole bodies read; the last answer goes on for ever. */
async function post(answers: readonly Answer[], options: SubscriberOptions) {
  const posts: Post[] = []
  const { url } = await serve((request, response) => {
    void bodyOf(request).then((body) => {
      posts.push({ method: request.method, body, type: request.headers['content-type'], cursor: request.headers['last-event-id'] })
      answers[Math.min(posts.length, answers.length) - 1]!(response)
    })
  })
  const subscribed = subscribe(url, options)
  const heard: string[] = []
  subscribed.stream.on('message', (text) => void heard.push(text))
  const { reason, error } = await subscribed.stream.closed
  return { posts, heard, reason, error }
}

test.each([
  ['text', () => 'grün', 'grün', 'text/plain;charset=UTF-8'],
  ['bytes', () => new TextEncoder().encode('grün'), 'grün', undefined],
  ['parameters', () => new URLSearchParams({ q: 'a b' }), 'q=a+b', 'application/x-www-form-urlencoded;charset=UTF-8'],
  ['a blob', () => new Blob(['{}'], { type: 'application/json' }), '{}', 'application/json'],
  ['nothing', () => '', '', 'text/plain;charset=UTF-8'],
  ['half a megabyte', () => 'x'.repeat(1 << 19), 'x'.repeat(1 << 19), 'text/plain;charset=UTF-8'],
])('a body makes it a POST, and is sent whole: %s', async (_, body, sent, type) => {
  const { posts, reason } = await post([stream(END)], { body: body() })
  expect([reason, posts]).toEqual(['ended', [{ method: 'POST', body: sent, type, cursor: undefined }]])
})

test('headers of the application come before the content type of the body, and a POST needs no body', async () => {
  const json = await post([stream(END)], { body: '{}', headers: { 'content-type': 'application/json' } })
  expect(json.posts).toMatchObject([{ method: 'POST', type: 'application/json' }])
  const empty = await post([stream(END)], { method: 'POST' })
  expect(empty.posts).toEqual([{ method: 'POST', body: '', type: undefined, cursor: undefined }])
})

test.each<[string, Answer, string]>([
  ['a server error', status(503), 'bad-status'],
  ['too many requests', status(429), 'bad-status'],
  ['a reset', reset, 'network'],
  ['silence', silence, 'timeout'],
  ['an end', stream('data: a\n\n'), 'interrupted'],
  ['an empty stream', stream(''), 'interrupted'],
  ['a cut', cut, 'network'],
])('a POST without a cursor is not sent again behind %s: the failure is fatal, and says why', async (_, answer, code) => {
  const { posts, reason, error } = await post([answer, stream(END)], { body: 'x', connectTimeout: 150 })
  expect([reason, error?.code, posts.length]).toEqual(['fatal', code, 1])
  expect(error?.message).toMatch(/POST .*cursor.*idempotent/)
})

test.each<[string, Answer]>([
  ['a server error', status(503)],
  ['a reset', reset],
  ['silence', silence],
  ['an end', stream('data: a\n\n')],
  ['a cut', cut],
])('a POST that is idempotent is sent again behind %s, whole', async (_, answer) => {
  const { posts, reason } = await post([answer, answer, stream(END)], { body: 'x', idempotent: true, connectTimeout: 150 })
  expect([reason, posts.map(({ body }) => body)]).toEqual(['ended', ['x', 'x', 'x']])
})

test('a POST is sent again with the cursor that its stream gave, and goes on behind it', async () => {
  const { posts, heard, reason } = await post([stream('id: 1\ndata: a\n\n'), status(503), reset, stream(`id: 2\ndata: b\n\n${END}`)], {
    body: 'x',
  })
  expect([reason, heard]).toEqual(['ended', ['a', 'b']])
  expect(posts.map(({ body, cursor }) => [body, cursor])).toEqual([
    ['x', undefined],
    ['x', '1'],
    ['x', '1'],
    ['x', '1'],
  ])
})

test.each<[string, SubscriberOptions]>([
  ['lastEventId', { lastEventId: '7' }],
  ['a store', { cursor: { load: () => '7', save: () => {} } }],
])('a POST with a cursor of %s is sent again from the first failure on', async (_, options) => {
  const { posts, reason } = await post([status(503), stream(END)], { body: 'x', ...options })
  expect([reason, posts.map(({ cursor }) => cursor)]).toEqual(['ended', ['7', '7']])
})

test('a POST whose stream took its cursor back is not sent again', async () => {
  const { posts, reason, error } = await post([stream('id: 1\ndata: a\n\nid:\ndata: b\n\n'), stream(END)], { body: 'x' })
  expect([reason, error?.code, posts.length]).toEqual(['fatal', 'interrupted', 1])
})

test('shouldRetry may send a POST again all the same', async () => {
  const { posts, reason } = await post([status(503), stream(END)], { body: 'x', shouldRetry: () => true })
  expect([reason, posts.length]).toEqual(['ended', 2])
})

test('a POST that was refused for want of authorization is sent once more after onUnauthorized: nothing was done', async () => {
  let token = 'stale'
  const { posts, reason } = await post([status(401), stream(END)], {
    body: () => token,
    onUnauthorized: () => void (token = 'fresh'),
  })
  expect([reason, posts.map(({ body }) => body)]).toEqual(['ended', ['stale', 'fresh']])
})

test.each([
  ['204', (response: ServerResponse) => void response.writeHead(204).end()],
  ['$end', stream(END)],
])('a POST that is answered with %s is done', async (_, answer) => {
  const { posts, reason } = await post([answer], { body: 'x' })
  expect([reason, posts.length]).toEqual(['ended', 1])
})

test('a body function is asked anew at each attempt, with what it may need', async () => {
  const asked: unknown[] = []
  const { posts, reason } = await post([stream('id: 1\ndata: a\n\n'), status(503), status(503), stream(END)], {
    async body(context) {
      asked.push({ ...context })
      await new Promise(setImmediate)
      return `from ${context.lastEventId || 'the beginning'}`
    },
  })
  expect(reason).toBe('ended')
  expect(posts.map(({ body }) => body)).toEqual(['from the beginning', 'from 1', 'from 1', 'from 1'])
  expect(asked).toEqual([
    { attempt: 1, lastEventId: '' },
    { attempt: 1, lastEventId: '1' },
    { attempt: 2, lastEventId: '1' },
    { attempt: 3, lastEventId: '1' },
  ])
})

test.each<[string, () => Promise<string>]>([
  [
    'throws',
    () => {
      throw new Error('no body yet')
    },
  ],
  ['rejects', () => Promise.reject(new Error('no body yet'))],
])('a body function that %s is a failed attempt: nothing was sent, so another one may follow', async (_, fail) => {
  let asked = 0
  const { posts, reason } = await post([stream(END)], { body: () => (asked++ < 2 ? fail() : 'x') })
  expect([reason, asked, posts.map(({ body }) => body)]).toEqual(['ended', 3, ['x']])
})

test('a body function that takes too long is a failed attempt too', async () => {
  let asked = 0
  const { posts, reason } = await post([stream(END)], {
    connectTimeout: 150,
    body: () => (asked++ === 0 ? new Promise<string>(() => {}) : 'x'),
  })
  expect([reason, posts.length]).toEqual(['ended', 1])
})

test('a GET cannot have a body, and is told so', async () => {
  const { posts, reason, error } = await post([stream(END)], { method: 'GET', body: 'x' })
  expect([reason, error?.code, posts]).toEqual(['fatal', 'invalid-option', []])
})
