import { beforeEach, expect, test } from 'vitest'
import type { EventwireError } from 'eventwire'
import type { SubscriberOptions } from 'eventwire/client'
import { response, serveTcp, STREAM_HEAD } from '../../support/serve.ts'
import { subscribe } from '../../support/subscribe.ts'
import { END, shortWaits } from './support.ts'

beforeEach(shortWaits)

type ShouldRetry = NonNullable<SubscriberOptions['shouldRetry']>

/** Answers attempt after attempt; nothing, and silence, for an answer that is `undefined`. The last goes on for ever. */
async function serveAnswers(...answers: (string | undefined)[]): Promise<{ url: string; attempts: string[] }> {
  return serveTcp((socket, attempt) => {
    const answer = answers[Math.min(attempt, answers.length) - 1]
    if (answer !== undefined) socket.end(answer)
  })
}

/** What came of a stream, and of its attempts. */
async function outcome(answers: (string | undefined)[], options: SubscriberOptions) {
  const { url, attempts } = await serveAnswers(...answers)
  const { stream, errors } = subscribe(url, options)
  stream.on('message', () => {})
  const { reason, error } = await stream.closed
  return { reason, code: error?.code, status: error?.status, attempts: attempts.length, errors: errors.map(({ code }) => code) }
}

const STREAM = STREAM_HEAD + END

test.each<[string, ShouldRetry]>([
  ['at once', () => false],
  ['later', async () => false],
])('shouldRetry may forbid what would be retried: %s', async (_, shouldRetry) => {
  expect(await outcome([response('503 No')], { shouldRetry })).toEqual({
    reason: 'fatal',
    code: 'bad-status',
    status: 503,
    attempts: 1,
    errors: ['bad-status'],
  })
})

test.each<[string, ShouldRetry]>([
  ['at once', () => true],
  ['later', async () => true],
])('shouldRetry may ask for what would be fatal: %s', async (_, shouldRetry) => {
  expect(await outcome([response('404 No'), response('404 No'), STREAM], { shouldRetry })).toMatchObject({
    reason: 'ended',
    attempts: 3,
    errors: [],
  })
})

test.each<[string, ShouldRetry]>([
  ['undefined', () => undefined],
  ['undefined, later', async () => undefined],
])('shouldRetry that says %s leaves it as it would be', async (_, shouldRetry) => {
  expect(await outcome([response('503 No'), STREAM], { shouldRetry })).toMatchObject({ reason: 'ended', attempts: 2 })
  expect(await outcome([response('404 No'), STREAM], { shouldRetry })).toMatchObject({ reason: 'fatal', status: 404, attempts: 1 })
})

test.each<[string, ShouldRetry]>([
  [
    'throws',
    () => {
      throw new Error('undecided')
    },
  ],
  ['rejects', () => Promise.reject(new Error('undecided'))],
])('shouldRetry that %s leaves it as it would be, and is reported', async (_, shouldRetry) => {
  expect(await outcome([response('503 No'), STREAM], { shouldRetry })).toMatchObject({
    reason: 'ended',
    attempts: 2,
    errors: ['hook-failed'],
  })
  expect(await outcome([response('404 No'), STREAM], { shouldRetry })).toMatchObject({
    reason: 'fatal',
    status: 404,
    attempts: 1,
    errors: ['hook-failed', 'bad-status'],
  })
})

test.each<[string, string | undefined, string, boolean]>([
  ['a refusal', response('404 No'), 'bad-status', false],
  ['a refusal for want of authorization', response('401 No'), 'bad-status', false],
  ['a page', response('200 OK', '<h1>', 'content-type: text/html\r\n'), 'bad-content-type', false],
  ['a server error', response('500 No'), 'bad-status', true],
  ['a cut', '', 'network', true],
  ['silence', undefined, 'timeout', true],
  ['an end', STREAM_HEAD, 'interrupted', true],
  ['an event that is too large', `${STREAM_HEAD}data: ${'x'.repeat(100)}\n\n`, 'too-large', false],
])('shouldRetry is asked about %s, and told what would be done', async (_, answer, code, retry) => {
  const asked: unknown[] = []
  const shouldRetry: ShouldRetry = (error, context) => {
    asked.push([error.code, context])
    return true
  }
  const told = await outcome([answer, STREAM], { shouldRetry, connectTimeout: 150, limits: { eventBytes: 50 } })
  expect(told).toMatchObject({ reason: 'ended', attempts: 2 })
  expect(asked).toEqual([[code, { attempt: 1, retry, lastEventId: '' }]])
})

test.each([
  ['204', response('204 No Content')],
  ['$end', STREAM],
])('shouldRetry is not asked about an end for good: %s', async (_, answer) => {
  const asked: unknown[] = []
  expect(await outcome([answer], { shouldRetry: (error) => void asked.push(error) })).toMatchObject({ reason: 'ended', attempts: 1 })
  expect(asked).toEqual([])
})

test('shouldRetry is not asked once the subscriber was closed', async () => {
  const asked: unknown[] = []
  const { url } = await serveAnswers(response('401 No'))
  const { stream } = subscribe(url, {
    shouldRetry: (error) => void asked.push(error),
    async onUnauthorized() {
      stream.close()
      throw new Error('closed meanwhile')
    },
  })
  stream.on('message', () => {})
  await stream.closed
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
  expect(asked).toEqual([])
})

test('shouldRetry is told the number of the attempt and the cursor, and backoff.attempts bounds it', async () => {
  const asked: unknown[] = []
  const shouldRetry: ShouldRetry = (error, { attempt, lastEventId }) => asked.push([error.status ?? error.code, attempt, lastEventId]) > 0
  const answers = [response('404 No'), `${STREAM_HEAD}id: 7\ndata: a\n\n`, response('410 No'), response('404 No')]
  const told = await outcome(answers, { shouldRetry, backoff: { base: 1, max: 1, attempts: 3 } })
  expect(told).toMatchObject({ reason: 'fatal', code: 'retries-exhausted', attempts: 5 })
  expect(asked).toEqual([
    [404, 1, ''],
    ['interrupted', 2, '7'],
    [410, 1, '7'],
    [404, 2, '7'],
    [404, 3, '7'],
  ])
})

test('a wait behind a failure that shouldRetry forgave is as long as any', async () => {
  const { url } = await serveAnswers(response('404 No', '', 'retry-after: 60\r\n'))
  const { stream, status } = subscribe(url, { shouldRetry: () => true })
  const waiting = status((it) => it.state === 'connecting' && it.retryAt !== undefined)
  stream.on('message', () => {})
  const { retryAt } = (await waiting) as { readonly retryAt: number }
  expect(retryAt - Date.now()).toBeGreaterThan(200)
})

test('onUnauthorized is given the refusal, and asked once for each row of refusals', async () => {
  const asked: EventwireError[] = []
  const told = await outcome([response('401 No', 'Sign in.'), response('403 No', 'Not you.')], {
    onUnauthorized: (error) => void asked.push(error),
  })
  expect(told).toMatchObject({ reason: 'fatal', code: 'bad-status', status: 403, attempts: 2 })
  expect(asked).toMatchObject([{ code: 'bad-status', status: 401, body: 'Sign in.' }])
})

test('onUnauthorized is asked each time that a stream was open in between', async () => {
  let asked = 0
  const open = `${STREAM_HEAD}data: a\n\n`
  const refused = response('401 No')
  const told = await outcome([refused, open, refused, open, refused, STREAM], { onUnauthorized: () => void asked++ })
  expect([told.reason, told.attempts, asked]).toEqual(['ended', 6, 3])
})

test('the attempt behind onUnauthorized is made at once, and is no further failure', async () => {
  const { url } = await serveAnswers(response('401 No'), STREAM)
  const numbers: number[] = []
  const { stream, statuses } = subscribe(url, {
    onUnauthorized: () => {},
    headers({ attempt }) {
      numbers.push(attempt)
      return {}
    },
  })
  stream.on('message', () => {})
  await stream.closed
  expect(numbers).toEqual([1, 1])
  expect(statuses.some((it) => 'retryAt' in it)).toBe(false)
})

test('an onUnauthorized that throws is a failed attempt, and asked again at the next refusal', async () => {
  let asked = 0
  const { url } = await serveAnswers(response('401 No'), response('401 No'), STREAM)
  const { stream, statuses } = subscribe(url, {
    onUnauthorized() {
      if (++asked === 1) throw new Error('no token today')
    },
  })
  stream.on('message', () => {})
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(asked).toBe(2)
  expect(statuses.find((it) => 'retryAt' in it)).toMatchObject({
    error: { code: 'hook-failed', message: 'onUnauthorized failed: no token today' },
  })
})

test('shouldRetry has the last word on refusals for want of authorization too', async () => {
  const told = await outcome([response('401 No'), response('401 No'), response('401 No'), STREAM], {
    onUnauthorized: () => {},
    shouldRetry: () => true,
  })
  expect(told).toMatchObject({ reason: 'ended', attempts: 4 })
})
