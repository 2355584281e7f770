import { describe, expect, test } from 'vitest'
import { serveEmitter } from '../support/emitter.ts'
import { listen, type Listening } from '../support/listen.ts'
import { price } from '../support/market.ts'
import { missingNginx, startNginx } from '../support/nginx.ts'
import { collector, subscribe } from '../support/subscribe.ts'

/** What is tested, with what is set in nginx beside the address of the server. */
const SETTINGS = {
  'as it comes': '',
  'with HTTP/1.1 to the server': 'proxy_http_version 1.1;',
  'with compression of everything': 'proxy_http_version 1.1; gzip on; gzip_types *; gzip_min_length 0;',
}

const opened = ({ cursor }: Listening): boolean => cursor !== ''

describe.skipIf(missingNginx).each(Object.entries(SETTINGS))('behind nginx %s', (_name, directives) => {
  test('each event arrives before the next is emitted', async () => {
    const { port, emitter } = await serveEmitter()
    const { url } = await startNginx(port, directives)
    const stream = await listen(url)
    expect([stream.response.status, stream.response.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    expect(stream.response.headers.get('content-encoding')).toBe(directives.includes('gzip') ? 'gzip' : null)
    await stream.until(opened)
    for (let count = 1; count <= 100; count++) {
      void emitter.emit('price', price(count))
      await stream.until(({ events }) => events.length === count)
    }
  })

  test('heartbeats arrive too', async () => {
    const { port } = await serveEmitter({ heartbeat: 10 })
    const { url } = await startNginx(port, directives)
    const stream = await listen(url)
    await stream.until(({ text }) => text.split('\n:\n\n').length > 3)
  })

  test('the server notices that a client has left', async () => {
    const { port, emitter, connected } = await serveEmitter()
    const { url } = await startNginx(port, directives)
    const [one, two] = [await listen(url), await listen(url)]
    await connected(2)
    one.leave()
    await connected(1)
    void emitter.emit('message', 'still here')
    await two.until(({ events }) => events.length === 1)
  })

  test('an event of a megabyte arrives whole', async () => {
    const { port, emitter } = await serveEmitter()
    const { url } = await startNginx(port, directives)
    const stream = await listen(url)
    await stream.until(opened)
    const text = Array.from({ length: 100_000 }, (_, i) => String(i).padStart(9, '0')).join(',')
    void emitter.emit('message', text)
    await stream.until(({ events }) => events.length === 1)
    expect(stream.events[0]!.data === text).toBe(true)
  })

  test('a client with a cursor is sent what it missed', async () => {
    const { port, emitter } = await serveEmitter()
    const { url } = await startNginx(port, directives)
    await emitter.emit('price', price(1))
    const cursor = await emitter.emit('price', price(2))
    await emitter.emit('price', price(3))
    const stream = await listen(url, { 'last-event-id': cursor })
    await stream.until(({ events }) => events.length === 1)
    expect(stream.ready).toMatchObject({ resumed: true, replayed: 1 })
    expect(stream.events[0]!.data).toBe(JSON.stringify(price(3)))
  })

  test('a subscriber loses nothing when nginx is restarted', async () => {
    const { port, emitter } = await serveEmitter()
    const proxy = await startNginx(port, directives)
    const { stream, status, gaps } = subscribe(proxy.url)
    const prices = collector<number>()
    stream.on('price', ({ usd }) => prices.take(usd))
    await status(({ state }) => state === 'open')
    void emitter.emit('price', price(1))
    await prices.reach(1)
    const cut = status(({ state }) => state !== 'open')
    await proxy.stop()
    await cut
    void emitter.emit('price', price(2))
    await proxy.start()
    void emitter.emit('price', price(3))
    expect(await prices.reach(3)).toEqual([1, 2, 3])
    expect(gaps).toEqual([])
  })
})

test.skipIf(missingNginx)('without its header x-accel-buffering, nginx would keep the stream to itself', async () => {
  const { port, emitter, connected } = await serveEmitter()
  const { url } = await startNginx(port, 'proxy_ignore_headers X-Accel-Buffering;')
  let answered = false
  const answer = fetch(url).then((response) => {
    answered = true
    return response.text()
  })
  await connected(1)
  await emitter.emit('message', 'hello')
  // Another request goes there and back in the meantime.
  expect((await fetch(url, { method: 'HEAD' })).status).toBe(200)
  expect(answered).toBe(false)
  await emitter.close()
  expect(await answer).toContain('data: hello')
})
