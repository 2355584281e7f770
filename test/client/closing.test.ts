import { expect, onTestFinished, test, vi } from 'vitest'
import { createSubscriber, type Status } from 'eventwire/client'
import { market } from '../support/market.ts'
import { response, serveTcp, STREAM_HEAD } from '../support/serve.ts'
import { collector, subscribe } from '../support/subscribe.ts'

const states = (statuses: readonly Status[]): string[] => statuses.map((it) => (it.state === 'closed' ? it.reason : it.state))

test('the end is told though only a checkpoint follows the last event, and nobody listens any more', async () => {
  const { url } = await serveTcp((socket) => socket.write(`${STREAM_HEAD}id: 1\ndata: a\n\nid: 2\n\nevent: $end\ndata: {}\n\n`))
  const { stream } = subscribe(url)
  stream.once('message', () => {})
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect([stream.status.state, stream.lastEventId]).toEqual(['closed', '2'])
})

test('the end is told though an event waits for a handler that never comes; one that comes late still gets it', async () => {
  const { url } = await serveTcp((socket) => socket.write(`${STREAM_HEAD}id: 1\ndata: a\n\nid: 2\ndata: b\n\nevent: $end\ndata: {}\n\n`))
  const { stream } = subscribe(url)
  stream.once('message', () => {})
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(stream.lastEventId).toBe('1')
  const late: string[] = []
  for await (const event of stream) if (event.event === 'message') late.push(event.data)
  expect([late, stream.lastEventId]).toEqual([['b'], '2'])
})

test('a fatal fault is told though an event waits for a handler', async () => {
  const { url } = await serveTcp((socket) => socket.write(`${STREAM_HEAD}data: a\n\ndata: b\n\ndata: ${'x'.repeat(200)}\n\n`))
  const { stream, errors } = subscribe(url, { limits: { eventBytes: 100 } })
  stream.once('message', () => {})
  expect(await stream.closed).toMatchObject({ reason: 'fatal', error: { code: 'too-large' } })
  expect(errors.map(({ code }) => code)).toEqual(['too-large'])
})

test('close() within onError does not hide the fault', async () => {
  const { url } = await serveTcp((socket) => socket.end(response('404 Not Found')))
  const { stream, statuses } = subscribe(url)
  stream.onError(() => stream.close())
  stream.on('message', () => {})
  expect(await stream.closed).toMatchObject({ reason: 'fatal' })
  expect(states(statuses)).toEqual(['connecting', 'fatal'])
})

test('close() within onUnauthorized, and while a response is on its way, is the last status', async () => {
  const refusing = await serveTcp((socket) => socket.end(response('401 Unauthorized')))
  const renewed = Promise.withResolvers<void>()
  const first = subscribe(refusing.url, {
    async onUnauthorized() {
      first.stream.close()
      renewed.resolve()
    },
  })
  first.stream.on('message', () => {})
  await renewed.promise
  await new Promise(setImmediate)
  expect(states(first.statuses)).toEqual(['connecting', 'aborted'])

  const answer = Promise.withResolvers<Response>()
  const second = subscribe('http://127.0.0.1:1/', { fetch: () => answer.promise })
  second.stream.on('message', () => {})
  await new Promise(setImmediate)
  second.stream.close()
  let cancelled = false
  answer.resolve(
    new Response(new ReadableStream({ cancel: () => void (cancelled = true) }), { headers: { 'content-type': 'text/event-stream' } }),
  )
  await new Promise(setImmediate)
  expect(states(second.statuses)).toEqual(['connecting', 'aborted'])
  expect(cancelled).toBe(true)
})

test('close() lets go of a body whose fetch does not heed its signal', async () => {
  const cancelled = Promise.withResolvers<void>()
  const body = new ReadableStream({ cancel: () => cancelled.resolve() })
  const { stream, status } = subscribe('http://127.0.0.1:1/', {
    fetch: async () => new Response(body, { headers: { 'content-type': 'text/event-stream' } }),
  })
  const open = status(({ state }) => state === 'open')
  stream.on('message', () => {})
  await open
  stream.close()
  await cancelled.promise
})

test('close() within onStatus leaves no timer behind', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const stream = createSubscriber(market, 'http://127.0.0.1:1/', {
    fetch: async () => new Response('', { status: 503, headers: { 'retry-after': '3600' } }),
  })
  stream.onStatus((status) => {
    if (status.state === 'connecting' && status.retryAt) stream.close()
  })
  stream.on('message', () => {})
  await stream.closed
  for (let i = 0; i < 10; i++) await Promise.resolve()
  expect(vi.getTimerCount()).toBe(0)
})

test('a listener that is added while listeners are told hears of the next change, not of this one', () => {
  const { stream } = subscribe('http://127.0.0.1:1/')
  let calls = 0
  const wait = (): void => {
    const off = stream.onStatus(() => {
      off()
      if (++calls < 100) wait()
    })
  }
  wait()
  stream.on('message', () => {})
  stream.close()
  expect(calls).toBe(2)
})

test('an onError that removes itself has heard the error: it does not go to the console too', async () => {
  const printed = collector<unknown>()
  const { error } = console
  console.error = printed.take
  onTestFinished(() => void (console.error = error))
  const { url } = await serveTcp((socket) => socket.end(response('404 Not Found')))
  const stream = createSubscriber(market, url)
  const off = stream.onError(() => off())
  stream.on('message', () => {})
  await stream.closed
  expect(printed.items).toEqual([])
})

test('an iterator that waits can be returned from, and eats no event', async () => {
  const write = Promise.withResolvers<(text: string) => void>()
  const { url } = await serveTcp((socket) => {
    socket.write(STREAM_HEAD)
    write.resolve((text) => void socket.write(text))
  })
  const { stream } = subscribe(url)
  const iterator = stream[Symbol.asyncIterator]()
  const waiting = [iterator.next(), iterator.next()]
  const send = await write.promise
  expect(await iterator.return!()).toEqual({ done: true, value: undefined })
  expect(await Promise.all(waiting)).toEqual([
    { done: true, value: undefined },
    { done: true, value: undefined },
  ])
  send('data: a\n\ndata: b\n\ndata: c\n\n')
  const again = stream[Symbol.asyncIterator]()
  const asked = await Promise.all([again.next(), again.next()])
  expect(asked.map(({ value }) => value?.data)).toEqual(['a', 'b'])
  // What waited for it goes to the next.
  await again.return!()
  const heard = collector<string>()
  stream.on('message', heard.take)
  expect(await heard.reach(1)).toEqual(['c'])
})

test('a listener is not told what another one has made untrue', async () => {
  const { url } = await serveTcp((socket) => socket.write(STREAM_HEAD))
  const { stream } = subscribe(url)
  stream.onStatus(({ state }) => {
    if (state === 'open') stream.close()
  })
  const later: string[] = []
  stream.onStatus(({ state }) => later.push(state))
  stream.on('message', () => {})
  await stream.closed
  expect(later).toEqual(['connecting', 'closed'])
})

test('close() as soon as the stream opens lets go of a body whose fetch does not heed its signal', async () => {
  const cancelled = Promise.withResolvers<void>()
  const { stream } = subscribe('http://127.0.0.1:1/', {
    fetch: async () =>
      new Response(new ReadableStream({ cancel: () => cancelled.resolve() }), { headers: { 'content-type': 'text/event-stream' } }),
  })
  stream.onStatus(({ state }) => {
    if (state === 'open') stream.close()
  })
  stream.on('message', () => {})
  await cancelled.promise
})

test('a refusal whose body never ends is given up after connectTimeout, and tried again', async () => {
  let asked = 0
  const { stream, status } = subscribe('http://127.0.0.1:1/', {
    connectTimeout: 50,
    fetch: async () => {
      asked++
      return new Response(new ReadableStream(), { status: 503 })
    },
  })
  const again = status((it) => it.state === 'connecting' && it.attempt === 3)
  stream.on('message', () => {})
  expect(await again).toMatchObject({ error: { code: 'timeout' } })
  expect(asked).toBe(2)
})

test('a listener that rejects is reported like one that throws', async () => {
  const { url } = await serveTcp((socket) => socket.write(STREAM_HEAD))
  const { stream, errors, status } = subscribe(url)
  const open = status(({ state }) => state === 'open')
  const rejecting = async ({ state }: Status): Promise<void> => {
    if (state === 'open') throw new Error('later')
  }
  stream.onStatus(rejecting)
  stream.on('message', () => {})
  await open
  await new Promise(setImmediate)
  expect(errors.map(({ code, message }) => [code, message])).toEqual([['handler-failed', 'A listener of onStatus threw: later']])
})

test('the stream is over only when its last event has been handled', async () => {
  const { url } = await serveTcp((socket) => socket.write(`${STREAM_HEAD}id: 1\ndata: a\n\nevent: $end\ndata: {}\n\n`))
  const { stream } = subscribe(url)
  const begun = Promise.withResolvers<void>()
  const gate = Promise.withResolvers<void>()
  const order: string[] = []
  stream.on('message', async () => {
    begun.resolve()
    await gate.promise
    order.push('handled')
  })
  const over = stream.closed.then(() => order.push('closed'))
  await begun.promise
  // Time enough for the end, which came in the same bytes.
  for (let i = 0; i < 10; i++) await new Promise(setImmediate)
  gate.resolve()
  await over
  expect(order).toEqual(['handled', 'closed'])
  expect(stream.lastEventId).toBe('1')
})

test('twenty thousand events that waited for a handler are handed out without growing the stack', async () => {
  const count = 20_000
  const body = 'data: x\n\n'.repeat(count)
  const { stream } = subscribe('http://127.0.0.1:1/', {
    limits: { queue: Infinity },
    fetch: async () =>
      new Response(`data: first\n\n${body}event: $end\ndata: {}\n\n`, { headers: { 'content-type': 'text/event-stream' } }),
  })
  stream.once('message', () => {})
  await stream.closed
  let heard = 0
  stream.on('message', () => heard++)
  await new Promise(setImmediate)
  expect(heard).toBe(count)
})

test('a share that fails is a fault of the stream', async () => {
  const { stream, errors } = subscribe('http://127.0.0.1:1/', { share: () => Promise.reject(new Error('no locks')) })
  stream.on('message', () => {})
  expect(await stream.closed).toMatchObject({ reason: 'fatal', error: { code: 'hook-failed', message: 'share failed: no locks' } })
  expect(errors).toHaveLength(1)
})
