import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { defineEvents, type Contract } from 'eventwire'
import { createSubscriber, type Subscriber } from 'eventwire/client'
import { createEmitter } from 'eventwire/server'
import { expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { missingChromium, openPage } from '../support/chromium.ts'
import { blocks, read, ROOT } from '../support/docs.ts'
import { market, price } from '../support/market.ts'
import { serve, serveTcp, STREAM_HEAD } from '../support/serve.ts'
import { collector } from '../support/subscribe.ts'

/** What a better-sse 0.16.1 server has sent: a session, and two broadcasts of its channel. */
const BETTER_SSE = [
  'retry:2000\n\n',
  'event:price\nid:09b68dd4-8f11-4a05-9718-fb464663d855\ndata:{"symbol":"BTC","usd":1}\n\n',
  'event:message\nid:bc0021ef-73eb-4ef2-badb-859a96aa5ca0\ndata:"hi"\n\n',
].join('')
const ITS_ID = 'bc0021ef-73eb-4ef2-badb-859a96aa5ca0'

test('a better-sse server is read as it is, and brought the last of its ids', async () => {
  const { url, attempts, cut } = await serveTcp((socket) => socket.write(STREAM_HEAD + BETTER_SSE))
  const said = defineEvents({ price: market.schemas.price, message: z.string() })
  const stream = createSubscriber(said, url, { shouldRetry: () => true, backoff: { base: 1, max: 1 } })
  onTestFinished(() => stream.close())
  const heard = collector<unknown>()
  stream.on('price', heard.take)
  stream.on('message', heard.take)
  expect(await heard.reach(2)).toEqual([price(1), 'hi'])
  cut()
  await heard.reach(4)
  expect(attempts[1]).toContain(`last-event-id: ${ITS_ID}`)
})

test('who comes with an id of another server is told of a gap once, and goes on with what is new', async () => {
  const emitter = createEmitter(market)
  const { url } = await serve((request, response) => emitter.handleNode(request, response))
  await emitter.emit('message', 'before')
  const stream = createSubscriber(market, url, { lastEventId: ITS_ID })
  onTestFinished(() => stream.close())
  const [gaps, heard] = [collector<string>(), collector<string>()]
  stream.onGap(({ reason }) => gaps.take(reason))
  stream.on('message', heard.take)
  await gaps.reach(1)
  await emitter.emit('message', 'after')
  expect(await heard.reach(1)).toEqual(['after'])
  expect(gaps.items).toEqual(['malformed'])
  await emitter.close()
})

test('to a client that is called for every blank line, what the page lets through are the events', async () => {
  expect(read('docs/migration/fetch-event-source.md')).toContain(`if (event.data === '' || event.event.startsWith('$')) return`)
  const emitter = createEmitter(market, { heartbeat: 10 })
  const { url } = await serve((request, response) => emitter.handleNode(request, response))
  const response = await fetch(url)
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let sent = ''
  const until = async (text: string): Promise<void> => {
    while (!sent.includes(text)) sent += (await reader.read()).value
  }
  // Among checkpoints and heartbeats.
  await until('\n:\n\n')
  await emitter.emit('price', price(1))
  await emitter.emit('message', 'hello')
  await until('data: hello\n\n')
  await reader.cancel()
  await emitter.close()

  const all = sent.split('\n\n').map((block) => ({ event: field(block, 'event'), data: field(block, 'data') }))
  const passed = all.filter((event) => event.data !== '' && !event.event.startsWith('$'))
  expect(passed).toEqual([
    { event: 'price', data: '{"symbol":"BTC","usd":1}' },
    { event: '', data: 'hello' },
  ])
  expect(all.length).toBeGreaterThan(passed.length + 2)
})

function field(block: string, name: string): string {
  return new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? ''
}

test('the server and the client of the page on socket.io bring what is said to a room, and nobody speaks for another', async () => {
  const { listen, say } = await socketIoPage()
  const heard = collector<unknown>()
  const ann = listen('ann', ['room 1'])
  ann.on('said', heard.take)
  await opened(ann)
  expect(await say('ann', 'room 2', 'elsewhere')).toBe(true)
  expect(await say('ann', 'room 1', 'hello')).toBe(true)
  expect(await heard.reach(1)).toEqual([{ user: 'ann', text: 'hello' }])
  const liar = await fetch(ann.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer bob' },
    body: JSON.stringify({ event: 'said', topic: 'room 1', data: { user: 'ann', text: 'lies' } }),
  })
  expect(liar.status).toBe(403)
})

test('who moves to another room with the cursor of the last subscriber misses nothing', async () => {
  const { listen, say } = await socketIoPage()
  const first = listen('ann', ['room 1'])
  const before = collector<string>()
  first.on('said', (_, { id }) => before.take(id))
  await opened(first)
  await say('bob', 'room 1', 'one')
  const [lastEventId] = await before.reach(1)
  first.close()
  await say('bob', 'room 1', 'two')
  await say('bob', 'room 2', 'three')
  const after = collector<{ text: string }>()
  listen('ann', ['room 1', 'room 2'], lastEventId).on('said', after.take)
  expect((await after.reach(2)).map(({ text }) => text)).toEqual(['two', 'three'])
})

interface SocketIoClient {
  listen(user: string, rooms: string[], lastEventId?: string): Said
  say(user: string, room: string, text: string): Promise<boolean>
}
type Said = Subscriber<Contract<{ said: z.ZodObject<{ user: z.ZodString; text: z.ZodString }> }>> & { readonly url: string }

/** The code of the page, on a port of its own. */
async function socketIoPage(): Promise<SocketIoClient> {
  const folder = await mkdtemp(join(ROOT, '.page-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const code = new Map(blocks('docs/migration/socket-io.md').map((block) => [/^\/\/ (\S+)\n/.exec(block)?.[1] ?? '', block]))
  const write = (name: string, text = code.get(name)!): Promise<void> => writeFile(join(folder, name), text)
  await Promise.all([write('chat.ts'), write('server.ts')])
  const { server } = (await import(join(folder, 'server.ts'))) as { server: Server }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/chat`
  await write('client.ts', code.get('client.ts')!.replace('http://127.0.0.1:3000/chat', url))
  const client = (await import(join(folder, 'client.ts'))) as SocketIoClient
  return {
    ...client,
    listen(...given) {
      const stream = client.listen(...given)
      onTestFinished(() => stream.close())
      return Object.assign(stream, { url })
    },
  }
}

/** Resolves when the server has said where the stream begins. */
function opened(stream: Said): Promise<void> {
  return new Promise((resolve) => {
    stream.onStatus((status) => {
      if (status.state === 'open' && status.resumed !== undefined) resolve()
    })
  })
}

test.skipIf(missingChromium)('a plain EventSource gives up at every status but 200, and asks again when a stream ends', async () => {
  let asked = 0
  const again = Promise.withResolvers<void>()
  const { url } = await serve((request, response) => {
    const status = Number(request.url?.slice(1))
    if (!status) return response.setHeader('content-type', 'text/html').end('<!doctype html><title>plain</title>')
    response.writeHead(status, { 'content-type': 'text/event-stream' })
    if (status === 200 && ++asked > 1) again.resolve()
    return response.end(status === 200 ? 'retry: 10\n\n' : undefined)
  })
  const page = await openPage(new URL('/', url).href)
  for (const status of [204, 401, 404, 503]) {
    const state = page.evaluate(
      `new Promise((resolve) => { const source = new EventSource('/${status}'); source.onerror = () => resolve(source.readyState) })`,
    )
    expect([status, await state]).toEqual([status, 2])
  }
  await page.evaluate(`void (source = new EventSource('/200'))`)
  await again.promise
  await page.evaluate('source.close()')
})
