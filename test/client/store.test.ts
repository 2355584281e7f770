import { expect, onTestFinished, test, vi } from 'vitest'
import { createSubscriber, latestOf, onDemand, statusOf, type EventStream, type SubscriberOptions } from 'eventwire/client'
import { caught } from '../support/caught.ts'
import { serveEmitter, type ServedEmitter } from '../support/emitter.ts'
import { market, price, type Market } from '../support/market.ts'
import { response, serveTcp } from '../support/serve.ts'
import { collector, subscribe } from '../support/subscribe.ts'

/** An emitter, a stream of it on demand, and how many connections were made. Timers go off only when the test lets them. */
async function open(options: SubscriberOptions = {}): Promise<ServedEmitter & { stream: EventStream<Market>; made(): number }> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  let made = 0
  const served = await serveEmitter({ onConnect: () => void made++ })
  const stream = onDemand(() => createSubscriber(market, served.url, options))
  return { ...served, stream, made: () => made }
}

test('a stream on demand is opened by its first handler, shared by all, and closed when the last has been removed', async () => {
  const { stream, emitter, connected, made } = await open()
  const heard = collector<string>()
  const offs = [1, 2].map((n) => stream.on('price', ({ usd }) => heard.take(`${n}: ${usd}`)))
  await connected(1)
  await emitter.emit('price', price(1))
  expect(await heard.reach(2)).toEqual(['1: 1', '2: 1'])
  expect([stream.status.state, stream.lastEventId.length > 0]).toEqual(['open', true])

  offs[0]!()
  offs[0]!()
  await emitter.emit('price', price(2))
  expect((await heard.reach(3)).at(-1)).toBe('2: 2')
  vi.advanceTimersByTime(10_000)
  offs[1]!()
  vi.advanceTimersByTime(999)
  expect(stream.status.state).toBe('open')
  vi.advanceTimersByTime(1)
  await connected(0)
  expect([stream.status, stream.lastEventId, made()]).toEqual([{ state: 'connecting', attempt: 1 }, '', 1])

  const again = stream.on('price', ({ usd }) => heard.take(`again: ${usd}`))
  await connected(1)
  await emitter.emit('price', price(3))
  expect((await heard.reach(4)).at(-1)).toBe('again: 3')
  again()
  vi.advanceTimersByTime(1_000)
  await connected(0)
})

test('listeners alone do not connect a stream on demand, and keep it for the handlers', async () => {
  const { stream, emitter, connected, connections, made } = await open()
  const states = collector<string>()
  const status = statusOf(stream)
  const offs = [status.subscribe(() => states.take(status.getSnapshot().state)), stream.onGap(() => {}), stream.onError(() => {})]
  await new Promise(setImmediate)
  expect([connections.size, stream.status.state]).toEqual([0, 'connecting'])
  const heard = collector<number>()
  stream.on('price', ({ usd }) => heard.take(usd))()
  await connected(1)
  vi.advanceTimersByTime(10_000)
  offs.push(stream.on('price', ({ usd }) => heard.take(usd)))
  await emitter.emit('price', price(1))
  expect(await heard.reach(1)).toEqual([1])
  expect([made(), states.items]).toEqual([1, expect.arrayContaining(['open'])])
  for (const off of offs) off()
  vi.advanceTimersByTime(1_000)
  await connected(0)
})

test('on a stream on demand, what nobody listens to passes by, and holds nothing up', async () => {
  const { stream, emitter, connected } = await open({ limits: { queue: 10 } })
  const heard = collector<string>()
  const kept = stream.onStatus(() => {})
  const seen = Promise.withResolvers<void>()
  const off = stream.on('price', () => seen.resolve())
  await connected(1)
  await emitter.emit('price', price(1))
  await seen.promise
  off()
  for (let n = 0; n < 100; n++) await emitter.emit('message', `missed ${n}`)
  const last = await emitter.emit('price', price(2))
  while (stream.lastEventId !== last) await new Promise(setImmediate)
  const offs = [kept, stream.on('message', heard.take)]
  await emitter.emit('message', 'heard')
  expect(await heard.reach(1)).toEqual(['heard'])
  for (const leave of offs) leave()
  vi.advanceTimersByTime(1_000)
  await connected(0)
})

test('a stream on demand that came to its end is made anew for whoever comes when all have left, and not before', async () => {
  const { url, attempts } = await serveTcp((socket) => socket.end(response('404 Not Found')))
  const stream = onDemand(() => createSubscriber(market, url))
  const closed = async (): Promise<void> => {
    while (stream.status.state !== 'closed') await new Promise(setImmediate)
  }
  const offs = [stream.onError(() => {}), stream.on('price', () => {})]
  await closed()
  offs.push(stream.on('price', () => {}))
  expect(stream.status).toMatchObject({ reason: 'fatal' })
  for (const off of offs) off()
  expect(stream.status.state).toBe('connecting')
  const late = [stream.onError(() => {}), stream.on('price', () => {})]
  await closed()
  expect(attempts).toHaveLength(2)
  for (const off of late) off()
})

test('a stream on demand whose subscriber cannot be made says so, and can be asked again', async () => {
  let faulty = true
  const { url, connected } = await serveEmitter()
  const stream = onDemand(() => createSubscriber(market, url, faulty ? { connectTimeout: -1 } : {}))
  expect(caught(() => stream.on('price', () => {})).code).toBe('invalid-option')
  faulty = false
  expect(caught(() => stream.on('prise' as 'price', () => {})).code).toBe('unknown-event')
  const off = stream.on('price', () => {})
  await connected(1)
  off()
  await connected(0)
})

test.each(['a subscriber', 'a stream on demand'])(
  'the latest event of %s is read once for all who ask, and told only when it changes',
  async (kind) => {
    const { url, emitter, connected } = await serveEmitter()
    let validated = 0
    const counted = { ...market, deserialize: (event: string, text: string) => (validated++, market.deserialize(event, text)) }
    const bare = createSubscriber(counted, url)
    onTestFinished(() => bare.close())
    const stream = kind === 'a subscriber' ? bare : onDemand(() => bare)
    const stores = [latestOf(stream, 'message'), latestOf(stream, 'message')]
    const told = collector<string | undefined>()
    expect(stores.map(({ getSnapshot }) => getSnapshot())).toEqual([undefined, undefined])
    const offs = stores.map((store) => store.subscribe(() => told.take(store.getSnapshot())))
    await connected(1)
    for (const text of ['a', 'a', 'b']) await emitter.emit('message', text)
    expect(await told.reach(4)).toEqual(['a', 'a', 'b', 'b'])
    expect([validated, latestOf(stream, 'message').getSnapshot()]).toEqual([3, 'b'])

    // It is followed on, so that what it says is never what was.
    for (const off of offs) off()
    const last = await emitter.emit('message', 'c')
    while (stream.lastEventId !== last) await new Promise(setImmediate)
    expect([told.items.length, latestOf(stream, 'message').getSnapshot()]).toEqual([4, 'c'])
  },
)

test('to follow the status of a subscriber does not connect it', async () => {
  const { url, connections } = await serveEmitter()
  const { stream } = subscribe(url)
  const status = statusOf(stream)
  status.subscribe(() => {})
  await new Promise(setImmediate)
  expect([connections.size, status.getSnapshot() === status.getSnapshot()]).toEqual([0, true])
})
