import { beforeEach, expect, test } from 'vitest'
import type { SubscriberOptions } from 'eventwire/client'
import { response, serveTcp, STREAM_HEAD } from '../../support/serve.ts'
import { subscribe } from '../../support/subscribe.ts'
import { cursorOf, END, firstFate, pathOf, shortWaits } from './support.ts'

beforeEach(shortWaits)

interface Told {
  /** The ids that handlers were given. */
  readonly ids: readonly string[]
  /** The head of the request behind the first. */
  readonly next: string
  readonly lastEventId: string
  readonly gaps: readonly unknown[]
}

/** What a client makes of a stream that is closed at its end, and what it comes back with. */
async function afterwards(sent: string, options: SubscriberOptions = {}, path = '/events'): Promise<Told> {
  const { url, attempts } = await serveTcp((socket, attempt) => void socket.end(STREAM_HEAD + (attempt === 1 ? sent : END)))
  const { stream, gaps } = subscribe(new URL(path, url).href, { backoff: { base: 1, max: 1, attempts: 3 }, ...options })
  const ids: string[] = []
  stream.on('message', (_, { id }) => void ids.push(id))
  expect(await stream.closed).toEqual({ reason: 'ended' })
  return { ids, next: attempts[1]!, lastEventId: stream.lastEventId, gaps: [...gaps] }
}

const KIB = 'x'.repeat(1_024)

test.each([
  ['plain', 'id: 7\ndata: a\n\n', ['7'], '7'],
  ['outside of ASCII', 'id: grün-7\ndata: a\n\n', ['grün-7'], 'grün-7'],
  ['outside of the BMP', 'id: 🙂\ndata: a\n\n', ['🙂'], '🙂'],
  ['a separator of lines to some', 'id: a\u2028b\u0085c\ndata: a\n\n', ['a\u2028b\u0085c'], 'a\u2028b\u0085c'],
  ['a kilobyte', `id: ${KIB}\ndata: a\n\n`, [KIB], KIB],
  ['a kilobyte of two bytes each', `id: ${'ü'.repeat(512)}\ndata: a\n\n`, ['ü'.repeat(512)], 'ü'.repeat(512)],
  ['space within', 'id: a b\ndata: a\n\n', ['a b'], 'a b'],
  ['a tab within', 'id: a\tb\ndata: a\n\n', ['a\tb'], 'a\tb'],
  ['colons, commas and quotes', 'id: a:b,"c";d=%20\ndata: a\n\n', ['a:b,"c";d=%20'], 'a:b,"c";d=%20'],
  ['no space behind the colon', 'id:7\ndata: a\n\n', ['7'], '7'],
  ['behind the data', 'data: a\nid: 7\n\n', ['7'], '7'],
  ['two in one block', 'id: 6\nid: 7\ndata: a\n\n', ['7'], '7'],
  ['kept by events without one', 'id: 7\ndata: a\n\ndata: b\n\n', ['7', '7'], '7'],
  ['empty, which resets it', 'id: 7\ndata: a\n\nid:\ndata: b\n\n', ['7', ''], undefined],
  ['no colon at all, which resets it', 'id: 7\ndata: a\n\nid\ndata: b\n\n', ['7', ''], undefined],
  ['with a NUL, which is ignored', 'id: 7\ndata: a\n\nid: 8\0\ndata: b\n\n', ['7', '7'], '7'],
  ['alone in a block, which moves the cursor', 'id: 7\ndata: a\n\nid: 8\n\n', ['7'], '8'],
  ['alone and empty, which resets it', 'id: 7\ndata: a\n\nid:\n\n', ['7'], undefined],
  ['in capitals, which is another field', 'ID: 7\ndata: a\n\n', [''], undefined],
  ['in a block that was cut, which never was', 'id: 7\ndata: a\n\nid: 8\ndata: b\n', ['7'], '7'],
  ['alone in a block that was cut, which never was', 'id: 7\ndata: a\n\nid: 8\n', ['7'], '7'],
  ['of an event that nobody knows', 'id: 7\nevent: unheard\ndata: a\n\n', [], '7'],
])('what an id makes of the next request: %s', async (_, sent, ids, cursor) => {
  const told = await afterwards(sent)
  expect([told.ids, cursorOf(told.next), told.lastEventId, told.gaps]).toEqual([ids, cursor, cursor ?? '', []])
})

test.each([
  ['a megabyte', 'x'.repeat(1 << 20)],
  ['a byte too many', `${KIB}x`],
  ['too many bytes though few characters', 'ü'.repeat(513)],
])('an id that is too long is fatal, whether it comes with an event or alone: %s', async (_, id) => {
  for (const rest of ['data: a\n\n', '\n']) {
    const { url, attempts } = await serveTcp((socket) => void socket.end(`${STREAM_HEAD}id: 7\n\nid: ${id}\n${rest}`))
    const { stream, status } = subscribe(url)
    const over = status((it) => it.state === 'closed')
    const heard: string[] = []
    stream.on('message', (text) => void heard.push(text))
    expect(await over).toMatchObject({ reason: 'fatal', error: { code: 'too-large' } })
    expect([heard, attempts.length, stream.lastEventId]).toEqual([[], 1, '7'])
  }
})

test('limits.idBytes is the limit of an id', async () => {
  const { url } = await serveTcp((socket) => void socket.end(`${STREAM_HEAD}id: 12345\ndata: a\n\n`))
  const { stream } = subscribe(url, { limits: { idBytes: 4 } })
  stream.on('message', () => {})
  expect(await stream.closed).toMatchObject({ reason: 'fatal', error: { code: 'too-large' } })
})

test.each(['\u0001', '\u0008', '\u000b', '\u000c', '\u001b', '\u001f', '\u007f'])(
  'an id that no header can carry is told as a gap, and the next request goes without it: %j',
  async (character) => {
    const id = `a${character}b`
    const told = await afterwards(`id: 6\ndata: a\n\nid: ${id}\ndata: b\n\n`)
    expect(told.ids).toEqual(['6', id])
    expect(cursorOf(told.next)).toBeUndefined()
    expect(told.gaps).toEqual([{ reason: 'malformed', requested: id, oldest: '' }])
  },
)

test('what no header can carry is told as a gap once, however many attempts fail behind it; the next id is brought again', async () => {
  const answers = [`${STREAM_HEAD}id: a\u0001\ndata: a\n\n`, response('503 No'), '', `${STREAM_HEAD}data: b\n\nid: 8\ndata: c\n\n`]
  const { url, attempts } = await serveTcp((socket, attempt) => void socket.end(answers[attempt - 1] ?? STREAM_HEAD + END))
  const { stream, gaps } = subscribe(url)
  const told: string[] = []
  stream.onGap(({ requested }) => void told.push(`gap ${requested}`))
  stream.on('message', (text, { id }) => void told.push(`${text} ${id}`))
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(attempts.map(cursorOf)).toEqual([undefined, undefined, undefined, undefined, '8'])
  expect(gaps).toHaveLength(1)
  expect(told).toEqual(['a a\u0001', 'gap a\u0001', 'b ', 'c 8'])
})

test('an id as long as limits.idBytes allows is brought, whole', async () => {
  const id = 'x'.repeat(200_000)
  const { url, attempts } = await serveTcp(
    (socket, attempt) => void socket.end(STREAM_HEAD + (attempt > 1 ? END : `id: ${id}\ndata: a\n\n`)),
  )
  const { stream } = subscribe(url, { limits: { idBytes: 1 << 20 }, backoff: { base: 1, max: 1, attempts: 3 } })
  stream.on('message', () => {})
  expect(await stream.closed).toEqual({ reason: 'ended' })
  // The first packet holds its beginning.
  expect(attempts[1]).toMatch(/^last-event-id: x{1000}/im)
})

test('a first cursor that no header can carry is told as a gap too', async () => {
  const { url, attempts } = await serveTcp((socket) => void socket.end(STREAM_HEAD + END))
  const { stream, gaps } = subscribe(url, { lastEventId: 'a\nb', backoff: { base: 1, max: 1, attempts: 3 } })
  stream.on('message', () => {})
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(cursorOf(attempts[0]!)).toBeUndefined()
  expect(gaps).toEqual([{ reason: 'malformed', requested: 'a\nb', oldest: '' }])
})

test.each([
  ['spaces', '  7 ', ' 7 '],
  ['a tab', ' \t7\t', '\t7\t'],
])('an id with %s around it is given to handlers as it is; a header loses them', async (_, sent, id) => {
  const told = await afterwards(`id:${sent}\ndata: a\n\n`)
  expect([told.ids, told.lastEventId]).toEqual([[id], id])
  // What a header cannot carry exactly may be trimmed, as browsers do, or declared; it must not come out as another.
  expect([cursorOf(told.next), told.gaps.length]).toEqual(told.gaps.length > 0 ? [undefined, 1] : ['7', 0])
})

test.each(['7', 'grün-7', '🙂', ' 7 ', 'a\tb', 'a\u0001b', 'a&b=c', 'a+b', 'a%20b', 'a#b?c', '"<>'])(
  "with resumeIn: 'query' any id is brought, and no header is needed: %j",
  async (id) => {
    const told = await afterwards(`id: ${id}\ndata: a\n\n`, { resumeIn: 'query' })
    const asked = new URL(pathOf(told.next), 'http://127.0.0.1')
    expect([told.ids, asked.pathname, asked.searchParams.getAll('lastEventId')]).toEqual([[id], '/events', [id]])
    expect([cursorOf(told.next), told.gaps]).toEqual([undefined, []])
  },
)

test("resumeIn: 'query' keeps what the url has, and takes the place of a cursor that it had", async () => {
  const { next } = await afterwards('id: 8\ndata: a\n\n', { resumeIn: 'query' }, '/events?topic=a&lastEventId=old&topic=b#part')
  const asked = new URL(pathOf(next), 'http://127.0.0.1')
  expect(asked.searchParams.getAll('topic')).toEqual(['a', 'b'])
  expect(asked.searchParams.getAll('lastEventId')).toEqual(['8'])
})

test("resumeIn: 'query' brings the cursor that the application gave, and none when there is none", async () => {
  for (const [lastEventId, query] of [
    ['9', '?lastEventId=9'],
    ['', ''],
    [undefined, ''],
  ] as const) {
    const { url, attempts } = await serveTcp((socket) => void socket.end(STREAM_HEAD + END))
    await firstFate(subscribe(url, { resumeIn: 'query', lastEventId }))
    expect(pathOf(attempts[0]!)).toBe(`/events${query}`)
  }
})
