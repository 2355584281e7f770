import { expect, onTestFinished, test, vi } from 'vitest'
import type { SubscriberOptions } from 'eventwire/client'
import { response, serveTcp, STREAM_HEAD } from '../../support/serve.ts'
import { subscribe } from '../../support/subscribe.ts'

/** The longest delay of a timer. */
const LONGEST = 2 ** 31 - 1

/** The wait that the first failed attempt leads to, in ms. */
async function waitAfter(answer: string, options: SubscriberOptions = {}): Promise<number> {
  const { url } = await serveTcp((socket) => void socket.end(answer))
  const { stream } = subscribe(url, options)
  const wait = await new Promise<number>((resolve) => {
    stream.onStatus((status) => {
      if (status.state === 'connecting' && status.retryAt !== undefined) resolve(status.retryAt - Date.now())
    })
    stream.on('message', () => {})
  })
  stream.close()
  return wait
}

function between(wait: number, least: number, most: number): void {
  // The clock may have moved on by a little between the two looks at it.
  expect(wait).toBeGreaterThanOrEqual(least - 50)
  expect(wait).toBeLessThanOrEqual(most)
}

test.each([
  ['0', 250, 500],
  ['1', 250, 500],
  ['249', 250, 500],
  ['0300', 300, 600],
  ['7000', 7_000, 14_000],
  ['40000', 40_000, 80_000],
  ['1000000000000', LONGEST, LONGEST],
  ['2147483648', LONGEST, LONGEST],
  ['9'.repeat(400), LONGEST, LONGEST],
  ['0'.repeat(400), 250, 500],
])('retry: %s is the least wait, within what a timer can do and no server is hammered by', async (retry, least, most) => {
  between(await waitAfter(`${STREAM_HEAD}retry: ${retry}\n\n`, { backoff: { base: 2_000 } }), least, most)
})

test.each([
  ['-1'],
  ['-1000000'],
  ['+5'],
  ['1.5'],
  ['1e3'],
  ['0x10'],
  ['five'],
  ['5ms'],
  [' 5'],
  ['5 '],
  ['5,5'],
  [''],
  ['٣'],
  ['Infinity'],
  ['NaN'],
  ['1\0'],
])('retry: %j is no number of milliseconds, and changes nothing', async (retry) => {
  between(await waitAfter(`${STREAM_HEAD}retry: ${retry}\n\n`, { backoff: { base: 2_000 } }), 2_000, 4_000)
})

test('the last retry counts, and one in a block that was cut counts too, for each line is read as it comes', async () => {
  between(await waitAfter(`${STREAM_HEAD}retry: 20000\n\nretry: 9000\n\n`), 9_000, 18_000)
  between(await waitAfter(`${STREAM_HEAD}retry: 20000\nretry: 9000\ndata: cut`), 9_000, 18_000)
})

test('a retry lives on over attempts that fail, until another takes its place', async () => {
  const answers = [`${STREAM_HEAD}retry: 300\n\n`, response('503 No'), `${STREAM_HEAD}retry: 8000\n\n`]
  const { url } = await serveTcp((socket, attempt) => void socket.end(answers[attempt - 1] ?? ''))
  const { stream } = subscribe(url, { backoff: { base: 10_000, max: 600 } })
  const waits: number[] = []
  await new Promise<void>((resolve) => {
    stream.onStatus((status) => {
      if (status.state === 'connecting' && status.retryAt !== undefined) waits.push(status.retryAt - Date.now())
      if (waits.length === 3) resolve()
    })
    stream.on('message', () => {})
  })
  between(waits[0]!, 300, 600)
  between(waits[1]!, 300, 600)
  between(waits[2]!, 8_000, 16_000)
})

test.each([
  ['0', 2_000, 4_000],
  ['30', 30_000, 34_000],
  ['99999999999999', LONGEST, LONGEST],
  ['9'.repeat(400), LONGEST, LONGEST],
  ['-5', 2_000, 4_000],
  ['1.5', 2_000, 4_000],
  ['soon', 2_000, 4_000],
  ['', 2_000, 4_000],
  ['Thu, 01 Jan 1970 00:00:00 GMT', 2_000, 4_000],
  ['Fri, 31 Dec 9999 23:59:59 GMT', LONGEST, LONGEST],
  ['30\r\nretry-after: 60', 2_000, 64_000],
])('Retry-After: %s', async (value, least, most) => {
  between(await waitAfter(response('503 No', '', `retry-after: ${value}\r\n`), { backoff: { base: 2_000 } }), least, most)
})

interface Closes {
  readonly count: number
  /** What the server sends before it closes, each time. */
  readonly sent: string
  readonly random: number
  readonly options?: SubscriberOptions
}

/** The waits between attempts that all are closed at once, in ms of a clock that moves only from one to the next; and what was reported. */
async function closes({ count, sent, random, options = {} }: Closes): Promise<{ waits: number[]; codes: string[] }> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
  const { random: chance } = Math
  Math.random = () => random
  onTestFinished(() => {
    Math.random = chance
    vi.useRealTimers()
  })
  const { url, attempts } = await serveTcp((socket) => void socket.end(sent))
  const { stream, status, errors } = subscribe(url, options)
  const waits: number[] = []
  for (let attempt = 1; attempt <= count; attempt++) {
    const waiting = status((it) => it.state === 'connecting' && it.retryAt !== undefined)
    if (attempt === 1) stream.on('message', () => {})
    const { retryAt } = (await waiting) as { readonly retryAt: number }
    expect(attempts).toHaveLength(attempt)
    const wait = retryAt - Date.now()
    waits.push(wait)
    // A millisecond too early is too early.
    vi.advanceTimersByTime(wait - 1)
    expect(stream.status).toMatchObject({ retryAt })
    vi.advanceTimersByTime(1)
  }
  stream.close()
  expect(vi.getTimerCount()).toBe(0)
  return { waits, codes: errors.map(({ code }) => code) }
}

test('a thousand closes at once are a thousand waits, which double up to backoff.max', async () => {
  const { waits, codes } = await closes({
    count: 1_000,
    sent: STREAM_HEAD,
    random: 1 - Number.EPSILON,
    options: { backoff: { base: 1_000, max: 30_000 } },
  })
  expect(waits.slice(0, 6)).toEqual([2_000, 4_000, 8_000, 16_000, 30_000, 30_000])
  expect(new Set(waits.slice(5))).toEqual(new Set([30_000]))
  // That streams come to nothing is said once, not a thousand times.
  expect(codes).toEqual(['buffering'])
})

test('a thousand closes by a server that wants no wait at all are four attempts a second, at the very most', async () => {
  const { waits, codes } = await closes({ count: 1_000, sent: `${STREAM_HEAD}retry: 0\n\n`, random: 0 })
  expect(Math.min(...waits)).toBe(250)
  expect(codes).toEqual(['buffering'])
})

test('refusals that do not say for how long are waited out longer and longer too', async () => {
  const { waits, codes } = await closes({
    count: 100,
    sent: response('429 Too Many Requests'),
    random: 0.5,
    options: { backoff: { base: 1_000, max: 30_000 } },
  })
  expect(waits.slice(0, 5)).toEqual([1_500, 2_500, 4_500, 8_500, 15_500])
  expect(new Set(waits.slice(5))).toEqual(new Set([15_500]))
  expect(codes).toEqual([])
})

test('a server that closes behind one event each time is come back to after the shortest wait, and never sooner', async () => {
  const { waits, codes } = await closes({ count: 100, sent: `${STREAM_HEAD}retry: 0\ndata: one\n\n`, random: 1 - Number.EPSILON })
  expect(new Set(waits)).toEqual(new Set([500]))
  expect(codes).toEqual([])
})
