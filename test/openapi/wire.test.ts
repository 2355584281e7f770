import { defineEvents, text } from 'eventwire'
import { openapi, type OpenApiResponse } from 'eventwire/openapi'
import { createEmitter, publishHandler, streamEvents, type EmitterOptions } from 'eventwire/server'
import type { End, EndReason, Gap, GapReason, Ready } from 'eventwire/wire'
import { describe, expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { serveEmitter } from '../support/emitter.ts'
import { listen } from '../support/listen.ts'
import { market, type Market } from '../support/market.ts'
import { dial, head, statusesOf } from '../support/raw.ts'
import { serve } from '../support/serve.ts'
import { at, describeMarket, INFO, itemsOf, judge } from './support.ts'

const document = describeMarket()

describe('what an emitter sends over a socket', () => {
  test('fits the item schema, event by event', async () => {
    const { accepts } = judge(document)
    const { emitter, url } = await serveEmitter({
      retry: 1_000,
      heartbeat: 10,
      snapshot: () => [{ event: 'price', data: { symbol: 'BTC', usd: 1 } }],
      onConnect: (connection) => void connection.send('message', 'hello'),
    })
    // A cursor of another log: the stream begins with a gap.
    const listening = await listen(url, { 'last-event-id': 'another-1' })
    await listening.until(({ ready }) => ready !== undefined)
    await emitter.emit('price', { symbol: 'BTC', usd: 64_000 })
    await emitter.emit('halted', { symbol: 'BTC', reason: 'news' })
    await emitter.emit('message', 'two\nlines')
    await listening.until(({ events }) => events.some(({ data }) => data === 'two\nlines'))
    const items = itemsOf(listening.text)
    expect(new Set(items.map(({ event }) => event))).toEqual(new Set(['$ready', '$gap', 'price', 'halted', undefined]))
    expect(items.some(({ id }) => id !== undefined)).toBe(true)
    for (const item of items) expect({ item, fits: await accepts(item) }).toEqual({ item, fits: true })
  })

  test('and what is broken in it does not', async () => {
    const { accepts } = judge(document)
    const good = { event: 'price', data: '{"symbol":"BTC","usd":1}', id: 'a-1' }
    const ready = { epoch: 'a', resumed: false, replayed: 0, heartbeat: 1, text: [], ends: [] }
    expect(await accepts(good)).toBe(true)
    expect(await accepts({ event: '$ready', data: JSON.stringify(ready) })).toBe(true)
    for (const bad of [
      { ...good, data: '{"symbol":"BTC","usd":"1"}' },
      { ...good, data: '{"symbol":"BTC"}' },
      { ...good, data: { symbol: 'BTC', usd: 1 } },
      { ...good, event: 'prise' },
      { ...good, id: 1 },
      { ...good, retry: -1 },
      { event: 'halted', data: good.data },
      { event: 'price' },
      { id: 'a-1' },
      { event: '$ready', data: JSON.stringify({ ...ready, heartbeat: '1' }) },
      { event: '$gap', data: '{"reason":"because","requested":"","oldest":""}' },
      { event: '$end', data: '{}' },
    ]) {
      expect({ bad, fits: await accepts(bad) }).toEqual({ bad, fits: false })
    }
  })

  test('fits also for streams that come to an end, and by a mark', async () => {
    const answer = defineEvents({ token: z.string(), message: text() }, { name: 'answer', ends: [{ event: 'message', data: '[DONE]' }] })
    const described = openapi(answer, { document: { info: INFO }, stream: '/events', method: 'post' })
    const { accepts } = judge(described)
    const streams = streamEvents(answer, async function* () {
      yield { event: 'token', data: 'blue', id: '1' }
      yield { event: 'message', data: '[DONE]' }
    })
    const { url } = await serve((request, response) => streams.handleNode(request, response))
    onTestFinished(() => streams.close())
    const response = await fetch(url, { method: 'POST' })
    const items = itemsOf(await response.text())
    expect(items.map(({ event }) => event)).toEqual(['$ready', 'token', undefined, '$end'])
    for (const item of items) expect({ item, fits: await accepts(item) }).toEqual({ item, fits: true })
  })
})

test('control messages have the members and the reasons of the protocol, no more and no fewer', () => {
  const gaps: Record<GapReason, true> = { evicted: true, epoch: true, ahead: true, malformed: true, overflow: true, superseded: true }
  const ends: Record<EndReason, true> = { done: true, closed: true, unauthorized: true }
  const ready: Record<keyof Ready, true> = { epoch: true, resumed: true, replayed: true, heartbeat: true, text: true, ends: true }
  const gap: Record<keyof Gap, true> = { reason: true, requested: true, oldest: true }
  const end: Record<keyof End, true> = { reason: true }
  const content = (name: string, path: string): unknown =>
    at(document, `#/components/schemas/Stream${name}/properties/data/contentSchema/${path}`)
  for (const [name, members] of Object.entries({ Ready: ready, Gap: gap, End: end })) {
    expect(content(name, 'required')).toEqual(Object.keys(members))
    expect(Object.keys(content(name, 'properties') as object)).toEqual(Object.keys(members))
  }
  expect(content('Gap', 'properties/reason/enum')).toEqual(Object.keys(gaps))
  expect(content('End', 'properties/reason/enum')).toEqual(Object.keys(ends))
})

/** What the document has against a response: its status, its content type, its headers. */
function undescribed(response: Response, responses: Record<string, OpenApiResponse>): string[] {
  const said = responses[response.status]
  if (!said) return [`status ${response.status}`]
  const type = response.headers.get('content-type')?.split(';')[0]
  const faults = type !== undefined && !Object.hasOwn(said.content ?? {}, type) ? [`content-type ${type}`] : []
  return response.headers.has('retry-after') === Object.hasOwn(said.headers ?? {}, 'Retry-After') ? faults : [...faults, 'retry-after']
}

test.each<[number, EmitterOptions<Market>, string]>([
  [200, {}, ''],
  [400, { limits: { topics: 1 } }, '?topic=a&topic=b'],
  [401, { connect: () => new Response(null, { status: 401 }) }, ''],
  [403, { connect: () => new Response(null, { status: 403 }) }, ''],
  [429, { limits: { perKey: { connections: 0, key: () => 'you' } } }, ''],
  [431, { limits: { headerBytes: 1 } }, ''],
  [
    500,
    {
      connect: () => {
        throw new Error('Not today.')
      },
      onError: () => {},
    },
    '',
  ],
  [503, { limits: { connections: 0 } }, ''],
])('the document knows a stream that is answered with %i', async (status, options, query) => {
  const { url } = await serveEmitter(options)
  const { response, leave } = await listen(url + query)
  expect(response.status).toBe(status)
  expect(undescribed(response, document.paths['/events']!.get!.responses)).toEqual([])
  leave()
})

describe('the publish endpoint', () => {
  const { fits } = judge(document)
  const { responses, requestBody } = document.paths['/publish']!.post!
  const body = requestBody!.content['application/json']!.schema!.$ref!
  const published = { event: 'price', data: { symbol: 'BTC', usd: 1 }, topic: 'BTC' }

  const endpoint = async (bodyTimeout?: number): Promise<{ url: string; port: number; close(): Promise<void> }> => {
    const emitter = createEmitter(market)
    const publish = publishHandler(emitter, {
      bodyBytes: 1_000,
      bodyTimeout,
      onError: () => {},
      authorize: (request) => {
        const status = Number(request.headers.get('x-refuse') ?? 0)
        if (status === 500) throw new Error('Not today.')
        return status === 401 ? new Response(null, { status }) : status === 0
      },
    })
    onTestFinished(() => emitter.close())
    const { url, port } = await serve((request, response) => publish.handleNode(request, response))
    return { url, port, close: () => emitter.close() }
  }

  test.each<[number, unknown, Record<string, string>]>([
    [202, published, {}],
    [202, { event: 'message', data: 'hello' }, {}],
    [400, [published], {}],
    [400, { ...published, topics: ['BTC'] }, {}],
    [401, published, { 'x-refuse': '401' }],
    [403, published, { 'x-refuse': '403' }],
    [413, { event: 'message', data: 'x'.repeat(1_000) }, {}],
    [415, published, { 'content-type': 'text/plain' }],
    [422, { ...published, event: 'prise' }, {}],
    [422, { ...published, data: { symbol: 'BTC', usd: 'one' } }, {}],
    [500, published, { 'x-refuse': '500' }],
  ])('answers %i to %j as the document has it', async (status, publication, headers) => {
    const { url } = await endpoint()
    const init = { method: 'POST', body: JSON.stringify(publication), headers: { 'content-type': 'application/json', ...headers } }
    const response = await fetch(url, init)
    expect(response.status).toBe(status)
    expect(undescribed(response, responses)).toEqual([])
    const [content] = Object.values(responses[status]!.content ?? {})
    const answer = await response.text()
    if (content) expect(await fits(content.schema!.$ref!, JSON.parse(answer))).toBe(true)
    // By the document, too, what cannot be published is no body for it.
    expect(await fits(body, publication)).toBe(![400, 422].includes(status))
  })

  test('answers 408 as the document has it', async () => {
    const { port } = await endpoint(20)
    const slow = await dial(port)
    slow.write(head('POST /events', 'content-type: application/json', 'content-length: 10'))
    const answer = await slow.closed
    expect(statusesOf(answer)).toEqual([408])
    expect(answer).toContain(`content-type: ${Object.keys(responses['408']!.content!)[0]}`)
  })

  test('answers 503 as the document has it', async () => {
    const { url, close } = await endpoint()
    await close()
    const response = await fetch(url, { method: 'POST', body: JSON.stringify(published), headers: { 'content-type': 'application/json' } })
    expect(response.status).toBe(503)
    expect(undescribed(response, responses)).toEqual([])
  })
})
