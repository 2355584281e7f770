import { expect, onTestFinished, test, vi } from 'vitest'
import * as z from 'zod'
import { defineEvents } from 'eventwire'
import { createSubscriber, type SubscriberOptions } from 'eventwire/client'
import { collector } from '../../support/subscribe.ts'
import { HIGH_WATER, serveMcp } from './mcp-server.ts'
import { ask } from './models.ts'
import { recipe } from './support.ts'

interface Message {
  readonly method?: string
  readonly params?: unknown
}

/** The client of docs/foreign.md. */
interface Client {
  call(method: string, params: object): Promise<unknown>
  notify(method: string, params: object): Promise<boolean>
  listen(signal: AbortSignal): Promise<void>
}

/** What is to be initialized before anything else is asked. */
async function connect(url: string, onMessage: (message: Message) => void = () => {}): Promise<Client> {
  const page = await recipe<{ connect(url: string, onMessage: (message: Message) => void): Client }>('mcp.ts')
  const client = page.connect(url, onMessage)
  expect(await client.call('initialize', { protocolVersion: '2025-06-18' })).toEqual({ capabilities: {} })
  return client
}

const rpc = defineEvents(
  { message: z.looseObject({ jsonrpc: z.literal('2.0') }).nullable() },
  { deserialize: (text) => JSON.parse(text || 'null') as unknown },
)
const CALL: SubscriberOptions = { headers: { 'content-type': 'application/json' }, body: '{"jsonrpc":"2.0","id":1,"method":"initialize"}' }

test('a call is a POST with the session, answered by a stream of progress and its result', async () => {
  const { url, asked } = await serveMcp()
  const told: Message[] = []
  const client = await connect(url, (message) => told.push(message))
  expect(await client.call('tools/call', { name: 'tide_table' })).toEqual(HIGH_WATER)
  expect(told.map(({ params }) => params)).toEqual([1, 2, 3].map((progress) => ({ progressToken: 't-7', progress, total: 3 })))
  const { method, headers, body, over } = asked.at(-1)!
  expect([method, headers['mcp-session-id'], headers['mcp-protocol-version']]).toEqual(['POST', 'tide-session', '2025-06-18'])
  expect(JSON.parse(body)).toEqual({ jsonrpc: '2.0', id: 2, method: 'tools/call', params: { name: 'tide_table' } })
  await over
})

test('a call that the server refuses has failed with what it says', async () => {
  const { url } = await serveMcp()
  const client = await connect(url)
  await expect(client.call('nothing', {})).rejects.toThrow('No such method.')
})

test('a call that is cut is resumed with GET by the ids of its events, and asked for once', async () => {
  const { url, asked } = await serveMcp({ answer: 'cut' })
  const told: Message[] = []
  const client = await connect(url, (message) => told.push(message))
  expect(await client.call('tools/call', { name: 'tide_table' })).toEqual(HIGH_WATER)
  expect(told.map(({ params }) => params)).toEqual([1, 2, 3].map((progress) => ({ progressToken: 't-7', progress, total: 3 })))
  expect(asked.slice(-2).map(({ method, headers }) => [method, headers['last-event-id']])).toEqual([
    ['POST', undefined],
    ['GET', 'call-7_2'],
  ])
  expect(asked.at(-1)).toMatchObject({ body: '', headers: { 'mcp-session-id': 'tide-session' } })
  // The server asked for 300 ms.
  expect(asked.at(-1)!.at - asked.at(-2)!.at).toBeGreaterThan(290)
  await asked.at(-1)!.over
})

test('a call that is cut without ids has failed, and is not asked for again', async () => {
  const { url, asked } = await serveMcp({ answer: 'cut without ids' })
  const reported = vi.spyOn(console, 'error').mockImplementation(() => {})
  onTestFinished(() => reported.mockRestore())
  const client = await connect(url)
  await expect(client.call('tools/call', {})).rejects.toMatchObject({ code: 'interrupted' })
  expect(asked).toHaveLength(2)
})

test('a call may be answered with one message of JSON', async () => {
  const { url } = await serveMcp({ answer: 'json' })
  const client = await connect(url)
  expect(await client.call('tools/call', {})).toEqual(HIGH_WATER)
})

test('a notification is answered with 202, and nothing else', async () => {
  const { url, asked } = await serveMcp()
  const client = await connect(url)
  expect(await client.notify('notifications/initialized', {})).toBe(true)
  expect(asked.at(-1)).toMatchObject({ method: 'POST', body: '{"jsonrpc":"2.0","method":"notifications/initialized","params":{}}' })
})

test('what the server says by itself is heard over GET, and over its cuts', async () => {
  const { url, asked, cut } = await serveMcp()
  const told = collector<Message>()
  const client = await connect(url, told.take)
  const controller = new AbortController()
  const listening = client.listen(controller.signal)
  await told.reach(1)
  cut()
  await told.reach(3)
  controller.abort()
  await listening
  expect(told.items.map(({ method }) => method)).toEqual(['notifications/tools/list_changed', 'notifications/message', 'ping'])
  expect(asked.slice(1).map(({ method, headers }) => [method, headers['last-event-id']])).toEqual([
    ['GET', undefined],
    ['GET', 'main_1'],
  ])
  await asked.at(-1)!.over
})

test('a server without such a stream answers 405, and is not asked again', async () => {
  const { url, asked } = await serveMcp({ notifies: false })
  const client = await connect(url)
  await client.listen(new AbortController().signal)
  expect(asked).toHaveLength(2)
})

test.each([
  ['405 to GET', 405, { method: 'GET' as const, headers: { 'mcp-session-id': 'tide-session' } }],
  ['404 to a session that is over', 404, { body: '{"jsonrpc":"2.0","id":1,"method":"tools/call"}', session: 'another' }],
  ['202 to a notification', 202, { body: '{"jsonrpc":"2.0","method":"notifications/initialized"}', session: 'tide-session' }],
])('%s closes a subscriber, and says its status', async (_, status, { session, ...options }: SubscriberOptions & { session?: string }) => {
  const { url, asked } = await serveMcp({ notifies: false })
  const { stream, errors } = ask(rpc, url, {
    headers: { 'content-type': 'application/json', ...(session && { 'mcp-session-id': session }) },
    body: undefined,
    ...options,
    fetch: accepting('application/json, text/event-stream'),
  })
  stream.on('message', () => {})
  expect(await stream.closed).toMatchObject({ reason: 'fatal', error: { code: 'bad-status', status } })
  expect(errors).toHaveLength(1)
  expect(asked).toHaveLength(1)
})

test('an answer of JSON is no stream, and says what it was', async () => {
  const { url } = await serveMcp()
  const { stream } = ask(rpc, url, { ...CALL, fetch: accepting('application/json, text/event-stream') })
  stream.on('message', () => {})
  expect((await stream.closed).error).toMatchObject({
    code: 'bad-content-type',
    body: '{"jsonrpc":"2.0","id":1,"result":{"capabilities":{}}}',
  })
})

test('the empty message that primes a stream moves the cursor', async () => {
  const { url } = await serveMcp()
  const stream = createSubscriber(rpc, url, { headers: { 'mcp-session-id': 'tide-session' } })
  onTestFinished(() => stream.close())
  for await (const { data, id } of stream.events('message')) {
    expect([data, id]).toEqual([null, 'main_0'])
    break
  }
  await expect.poll(() => stream.lastEventId).toBe('main_0')
})

/** A fetch that accepts what it is told to. */
function accepting(accept: string): typeof fetch {
  return (input, init) => {
    const headers = new Headers(init?.headers)
    headers.set('accept', accept)
    return fetch(input, { ...init, headers })
  }
}
