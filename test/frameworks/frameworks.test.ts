import { readdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { serve } from '@hono/node-server'
import { Hono, type MiddlewareHandler } from 'hono'
import { compress } from 'hono/compress'
import { etag } from 'hono/etag'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createEmitter, type Emitter } from 'eventwire/server'
import { read, ROOT } from '../support/docs.ts'
import { listen } from '../support/listen.ts'
import { market, type Market } from '../support/market.ts'
import { runPage, type Running } from './page.ts'

/** Where each page's server has the stream of a symbol. */
const STREAMS: Readonly<Record<string, (symbol: string) => string>> = {
  express: (symbol) => `/events/${symbol}`,
  fastify: (symbol) => `/events/${symbol}`,
  hono: (symbol) => `/events?symbol=${symbol}`,
  koa: (symbol) => `/events?symbol=${symbol}`,
  nest: (symbol) => `/events/${symbol}`,
  next: (symbol) => `/events?symbol=${symbol}`,
}

/** Sees to one more price. Only Next's page waits to be told of one; the others make one each second. */
async function another(name: string, { origin }: Running): Promise<void> {
  if (name !== 'next') return
  const body = JSON.stringify({ event: 'price', data: { symbol: 'BTC', usd: 64_000 }, topic: 'BTC' })
  const response = await fetch(`${origin}/events`, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
  expect(response.status).toBe(202)
}

test('each framework has one page, of no more than 30 lines', () => {
  const pages = readdirSync(join(ROOT, 'docs/frameworks'))
  expect(pages.sort()).toEqual(Object.keys(STREAMS).map((name) => `${name}.md`))
  for (const page of pages) expect(read(`docs/frameworks/${page}`).trimEnd().split('\n').length, page).toBeLessThanOrEqual(30)
})

describe.each(Object.entries(STREAMS))('what the page of %s shows', (name, stream) => {
  test('sends each event as it happens, to those alone who listen to its topic', async () => {
    const server = await runPage(name)
    const [btc, eth] = [await listen(server.origin + stream('BTC')), await listen(server.origin + stream('ETH'))]
    for (const { response } of [btc, eth]) {
      expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    }
    await eth.until(({ cursor }) => cursor !== '')
    for (const count of [1, 2]) {
      await another(name, server)
      await btc.until(({ events }) => events.length >= count)
    }
    expect(btc.ready).toMatchObject({ resumed: false, replayed: 0 })
    expect(btc.events[1]).toMatchObject({ event: 'price', data: JSON.stringify({ symbol: 'BTC', usd: 64_000 }) })
    expect(eth.events).toEqual([])
  })

  test('notices that a client has left, and goes on where it was when it comes back', async () => {
    const server = await runPage(name)
    const first = await listen(server.origin + stream('BTC'))
    await first.until(({ cursor }) => cursor !== '')
    first.leave()
    await server.printed('a client left')
    await another(name, server)
    const second = await listen(server.origin + stream('BTC'), { 'last-event-id': first.cursor })
    await second.until(({ events }) => events.length >= 1)
    expect(second.ready.resumed).toBe(true)
    expect(second.events[0]!.id).toBe(first.cursor.replace(/\d+$/, (seq) => String(Number(seq) + 1)))
  })

  test('on SIGTERM ends its streams, then its server, and has nothing to complain of', async () => {
    const server = await runPage(name)
    const stayed = await listen(server.origin + stream('BTC'))
    await stayed.until(({ cursor }) => cursor !== '')
    expect(await server.stop()).toBe(0)
    await stayed.ended
    expect(server.errors()).toBe('')
  })
})

/** An emitter behind Hono, with a middleware before it. */
async function serveHono(middleware: MiddlewareHandler): Promise<{ url: string; emitter: Emitter<Market>; connected: Promise<void> }> {
  const connected = Promise.withResolvers<void>()
  const emitter = createEmitter(market, { onConnect: () => connected.resolve() })
  const app = new Hono().use(middleware).get('/events', (c) => emitter.handle(c.req.raw))
  const address = Promise.withResolvers<AddressInfo>()
  const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, address.resolve)
  onTestFinished(async () => {
    await emitter.close()
    server.close()
  })
  return { url: `http://127.0.0.1:${(await address.promise).port}/events`, emitter, connected: connected.promise }
}

test("Hono's compress() leaves the stream as it is", async () => {
  const { url, emitter } = await serveHono(compress())
  const { response, until } = await listen(url, { 'accept-encoding': 'gzip' })
  expect(response.headers.get('content-encoding')).toBe(null)
  for (const count of [1, 2]) {
    void emitter.emit('message', 'hello')
    await until(({ events }) => events.length === count)
  }
})

test("Hono's etag() keeps the stream to itself until its end, as its page warns", async () => {
  const { url, emitter, connected } = await serveHono(etag())
  let answered = false
  const answer = fetch(url).then((response) => {
    answered = true
    return response
  })
  await connected
  void emitter.emit('message', 'hello')
  await fetch(url, { method: 'HEAD' })
  expect(answered).toBe(false)
  await emitter.close()
  expect((await answer).headers.get('etag')).toBeTruthy()
  expect(await (await answer).text()).toContain('data: hello')
})
