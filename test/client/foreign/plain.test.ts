import { expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { defineEvents, text } from 'eventwire'
import { createSubscriber, type Gap, type Subscriber, type SubscriberOptions } from 'eventwire/client'
import { blocksOf, play, recording, refuse, serveForeign } from './support.ts'

const changes = defineEvents({
  message: z.object({ meta: z.object({ domain: z.string(), dt: z.iso.datetime() }), title: z.string(), comment: z.string().optional() }),
})

const Status = z.object({ id: z.string(), content: z.string(), account: z.object({ acct: z.string() }) })

const timeline = defineEvents({
  update: Status,
  'status.update': Status,
  notification: z.object({ id: z.string(), type: z.string() }),
  delete: text(),
  filters_changed: text(),
})

const BACKOFF: SubscriberOptions = { backoff: { base: 1, max: 1 } }

/** The id of each block; `''` where it has none. */
const cursorsOf = (blocks: readonly string[]): string[] => blocks.map((block) => /^id: (.*)$/m.exec(block)?.[1] ?? '')

function follow(url: string, options: SubscriberOptions = {}): Subscriber<typeof changes> {
  const stream = createSubscriber(changes, url, { ...BACKOFF, ...options })
  onTestFinished(() => stream.close())
  return stream
}

test('a stream with comments is read by a loop: comments are no events, and ids are what they are', async () => {
  const { url, asked } = await serveForeign((response) => play(response, recording('wikimedia')))
  const stream = follow(url)
  const heard: unknown[] = []
  for await (const { data, id } of stream.events('message')) {
    const [{ timestamp }] = JSON.parse(id) as [{ timestamp: number }]
    heard.push([data.title, data.meta.domain, timestamp % 10])
    if (data.title === '潮汐') stream.close()
  }
  expect(heard).toEqual([
    ['Ebbe', 'de.wikipedia.org', 1],
    ['Flut', 'de.wikipedia.org', 2],
    ['Canary', 'canary', 3],
    ['Gezeitentümpel', 'de.wikipedia.org', 4],
    ['潮汐', 'de.wikipedia.org', 5],
  ])
  expect(asked).toMatchObject([{ method: 'GET', body: '', headers: { accept: 'text/event-stream' } }])
  await asked[0]!.over
})

test('wherever such a stream is cut, it goes on by its ids: every event, in order, once', async () => {
  const blocks = blocksOf(recording('wikimedia'))
  const cursors = cursorsOf(blocks)
  await Promise.all(
    blocks.map(async (block, cut) => {
      const { url, asked } = await serveForeign((response, { headers }, attempt) => {
        if (attempt > 1)
          return play(response, blocks.slice(cursors.indexOf((headers['last-event-id'] as string | undefined) ?? '') + 1).join(''))
        play(response, blocks.slice(0, cut).join('') + block.slice(0, block.length / 2))
        return response.end()
      })
      const stream = follow(url)
      const titles: string[] = []
      for await (const { data } of stream.events('message')) if (titles.push(data.title) === 5) stream.close()
      expect(titles, `cut in block ${cut}`).toEqual(['Ebbe', 'Flut', 'Canary', 'Gezeitentümpel', '潮汐'])
      const had = cursors.slice(0, cut).findLast((cursor) => cursor !== '')
      expect(asked.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, had])
    }),
  )
})

test('an id that is JSON comes back unchanged, in the header and in the query', async () => {
  const id = '[{"topic":"a b&c#d","offset":-1,"title":"täglich 潮汐"}]'
  const { url, asked } = await serveForeign((response) => (play(response, `id: ${id}\ndata: {}\n\n`), response.end()))
  for (const resumeIn of ['header', 'query'] as const) {
    const before = asked.length
    const stream = follow(`${url}?streams=a`, { resumeIn })
    stream.onError(() => {})
    const again = Promise.withResolvers<void>()
    stream.onStatus((status) => {
      if (status.state === 'open' && asked.length === before + 2) again.resolve()
    })
    stream.on('message', () => {})
    await again.promise
    stream.close()
    const { path, headers } = asked[before + 1]!
    const header = headers['last-event-id']
    expect(typeof header === 'string' ? Buffer.from(header, 'latin1').toString() : header).toBe(resumeIn === 'header' ? id : undefined)
    expect(new URL(path, url).searchParams.get('lastEventId')).toBe(resumeIn === 'query' ? id : null)
    expect(new URL(path, url).searchParams.get('streams')).toBe('a')
  }
})

test('ids of many topics are longer than the limit, until it is raised', async () => {
  const topics = Array.from({ length: 40 }, (_, i) => ({
    topic: `eqiad.mediawiki.stream-${i}`,
    partition: 0,
    timestamp: 1_790_000_000_000,
  }))
  const id = JSON.stringify(topics)
  const [, change = ''] = blocksOf(recording('wikimedia'))
  const { url, asked } = await serveForeign((response) => play(response, change.replace(/^id: .*$/m, `id: ${id}`)))
  const stream = follow(url)
  stream.onError(() => {})
  stream.on('message', () => {})
  expect(await stream.closed).toMatchObject({ reason: 'fatal', error: { code: 'too-large' } })
  expect(asked).toHaveLength(1)

  for await (const event of follow(url, { limits: { idBytes: 16 << 10 } })) {
    expect(event.id).toBe(id)
    break
  }
})

test('events that a server named and others are heard by name, and text that JSON would round is text', async () => {
  const { url, asked } = await serveForeign((response) => play(response, recording('mastodon')))
  const stream = createSubscriber(timeline, url, { ...BACKOFF, headers: async () => ({ authorization: 'Bearer token-1' }) })
  onTestFinished(() => stream.close())
  const heard: unknown[] = []
  const errors: unknown[] = []
  stream.onError((error) => errors.push(error))
  for await (const { event, data } of stream) {
    if (event === 'update' || event === 'status.update') heard.push([event, data.id, data.account.acct])
    if (event === 'notification') heard.push([event, data.type])
    if (event === 'delete') heard.push([event, data])
    if (event === 'filters_changed') stream.close()
  }
  expect(heard).toEqual([
    ['update', '115240000000000001', 'ada@tide.example'],
    ['notification', 'favourite'],
    ['status.update', '115240000000000001', 'ada@tide.example'],
    ['delete', '115240000000000001'],
  ])
  expect(asked[0]!.headers.authorization).toBe('Bearer token-1')
  expect(errors).toEqual([])
  await asked[0]!.over
})

test('a stream without ids that is cut comes back without a cursor, and tells of no gap that it cannot know of', async () => {
  const { url, asked } = await serveForeign((response, _, attempt) => {
    play(response, attempt === 1 ? recording('mastodon') : 'event: delete\ndata: 2\n\n')
    if (attempt === 1) response.end()
  })
  const stream = createSubscriber(timeline, url, BACKOFF)
  onTestFinished(() => stream.close())
  const gaps: Gap[] = []
  const states: string[] = []
  stream.onGap((gap) => gaps.push(gap))
  stream.onStatus((status) => states.push('error' in status ? status.error.code : status.state))
  const deleted: string[] = []
  for await (const { data } of stream.events('delete')) if (deleted.push(data) === 2) break
  expect(deleted).toEqual(['115240000000000001', '2'])
  expect(states).toEqual(['connecting', 'open', 'interrupted', 'connecting', 'open'])
  expect(asked.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, undefined])
  expect([gaps, stream.lastEventId]).toEqual([[], ''])
})

test('comments are signs of life, and a stream that has none any more is opened anew', async () => {
  const { url } = await serveForeign((response, _, attempt) => {
    play(response, ':)\n\n')
    if (attempt > 1) return play(response, 'event: delete\ndata: 2\n\n')
    let thumps = 0
    const timer = setInterval(() => {
      play(response, ':thump\n\n')
      if (++thumps < 15) return
      play(response, 'event: delete\ndata: 1\n\n')
      clearInterval(timer)
    }, 100)
    return timer
  })
  const stream = createSubscriber(timeline, url, { ...BACKOFF, idleTimeout: 1_000 })
  onTestFinished(() => stream.close())
  const states: string[] = []
  stream.onStatus((status) => states.push('error' in status ? status.error.code : status.state))
  const deleted: string[] = []
  for await (const { data } of stream.events('delete')) {
    if (data === '1') expect(states).toEqual(['connecting', 'open'])
    if (deleted.push(data) === 2) break
  }
  expect(deleted).toEqual(['1', '2'])
  expect(states).toEqual(['connecting', 'open', 'timeout', 'connecting', 'open'])
})

test('a GET that is refused with 429 is asked again when the server says so, and with 401 not at all', async () => {
  const { url, asked } = await serveForeign((response, _, attempt) => {
    if (attempt === 1) return refuse(response, 429, { error: 'Too many.' }, { 'retry-after': '1' })
    return refuse(response, 401, { error: 'This token opens nothing.' })
  })
  const stream = createSubscriber(timeline, url, BACKOFF)
  stream.onError(() => {})
  stream.on('delete', () => {})
  expect((await stream.closed).error).toMatchObject({ code: 'bad-status', status: 401, body: '{"error":"This token opens nothing."}' })
  expect(asked[1]!.at - asked[0]!.at).toBeGreaterThan(990)
  expect(asked).toHaveLength(2)
})
