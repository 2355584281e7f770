import { expect, test } from 'vitest'
import { createSubscriber } from 'eventwire/client'
import { serveEmitter } from '../support/emitter.ts'
import { serveTcp, STREAM_HEAD } from '../support/serve.ts'
import { collector, subscribe } from '../support/subscribe.ts'

const lastEventId = (head: string): string | undefined => /^last-event-id: (.*)\r$/im.exec(head)?.[1]

test('resumes after a cut without loss or repetition', async () => {
  const { url, emitter, connected, cut } = await serveEmitter()
  const { stream, statuses, gaps } = subscribe(url)
  const heard = collector<string>()
  stream.on('message', heard.take)
  await connected(1)
  await emitter.emit('message', 'before')
  await heard.reach(1)
  cut()
  await connected(0)
  for (const text of ['during 1', 'during 2']) await emitter.emit('message', text)
  await connected(1)
  await emitter.emit('message', 'after')
  expect(await heard.reach(4)).toEqual(['before', 'during 1', 'during 2', 'after'])
  expect(statuses.at(-1)).toEqual({ state: 'open', resumed: true, replayed: 2 })
  expect(gaps).toEqual([])
})

test('a server that restarted is noticed: a gap says that its log is another', async () => {
  const first = await serveEmitter()
  let { url } = first
  const { stream, gaps } = subscribe(() => url)
  const heard = collector<string>()
  stream.on('message', heard.take)
  await first.connected(1)
  const id = await first.emitter.emit('message', 'one')
  await heard.reach(1)
  const second = await serveEmitter()
  const oldest = await second.emitter.emit('message', 'two')
  ;({ url } = second)
  await first.emitter.close()
  expect(await heard.reach(2)).toEqual(['one', 'two'])
  expect(gaps).toEqual([{ reason: 'epoch', requested: id, oldest }])
})

test('a gap is told in its place among the events', async () => {
  const { url } = await serveTcp((socket) =>
    socket.write(`${STREAM_HEAD}data: a\n\nevent: $gap\ndata: {"reason":"overflow","requested":"x-1","oldest":"x-9"}\n\ndata: b\n\n`),
  )
  const { stream } = subscribe(url)
  const told = collector<string>()
  stream.onGap(({ reason }) => told.take(reason))
  stream.on('message', told.take)
  expect(await told.reach(3)).toEqual(['a', 'overflow', 'b'])
})

test('an event cut in its midst is dropped with its id, and asked for again', async () => {
  const { url, attempts } = await serveTcp((socket, attempt) =>
    socket.end(attempt === 1 ? `${STREAM_HEAD}id: 1\ndata: whole\n\nid: 2\ndata: hal` : `${STREAM_HEAD}id: 2\ndata: half\n\n`),
  )
  const { stream } = subscribe(url)
  const heard = collector<string>()
  stream.on('message', heard.take)
  expect(await heard.reach(2)).toEqual(['whole', 'half'])
  expect(attempts.slice(0, 2).map(lastEventId)).toEqual([undefined, '1'])
})

test('an id without an event moves the cursor, an empty one resets it, and it lives on over reconnections', async () => {
  const bodies = ['id: 7\n\n', 'data: no id\n\n', 'id\n\n', '']
  const { url, attempts } = await serveTcp((socket, attempt) => socket.end(STREAM_HEAD + (bodies[attempt - 1] ?? '')))
  const { stream, status } = subscribe(url)
  const ids = collector<string>()
  stream.on('message', (_, { id }) => ids.take(id))
  await status(() => attempts.length === 4)
  expect(attempts.slice(0, 4).map(lastEventId)).toEqual([undefined, '7', '7', undefined])
  expect(ids.items).toEqual(['7'])
})

test('a stream that is cut by a reset, in the midst of a chunk, is a cut like any other', async () => {
  const { url } = await serveTcp((socket, attempt) => {
    if (attempt > 1) return socket.write(`${STREAM_HEAD}data: again\n\n`)
    socket.write('HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\nff\r\ndata: ', () =>
      socket.resetAndDestroy(),
    )
    return undefined
  })
  const { stream } = subscribe(url)
  const heard = collector<string>()
  stream.on('message', heard.take)
  expect(await heard.reach(1)).toEqual(['again'])
})

test('an endless line is fatal, and takes no more memory than one event may', async () => {
  const chunk = 'x'.repeat(1 << 16)
  const { url } = await serveTcp((socket) => {
    socket.write(`${STREAM_HEAD}data: `)
    const pour = (): void => {
      while (!socket.destroyed && socket.write(chunk));
    }
    socket.on('drain', pour)
    pour()
  })
  const { stream } = subscribe(url)
  stream.on('message', () => {})
  expect(await stream.closed).toMatchObject({ reason: 'fatal', error: { code: 'too-large' } })
})

test('silence of three heartbeats is a dead stream, and the next one resumes', async () => {
  const { url, attempts } = await serveTcp((socket, attempt) => {
    const ready = 'event: $ready\ndata: {"epoch":"e","resumed":false,"replayed":0,"heartbeat":10,"text":[],"ends":[]}\n\nid: e-1\n\n'
    socket.write(STREAM_HEAD + (attempt === 1 ? ready : 'data: alive\n\n'))
  })
  const { stream, statuses } = subscribe(url)
  const heard = collector<string>()
  stream.on('message', heard.take)
  await heard.reach(1)
  expect(statuses.find((it) => it.state === 'connecting' && it.error)).toMatchObject({ error: { code: 'timeout' } })
  expect(lastEventId(attempts[1]!)).toBe('e-1')
})

test('an idleTimeout of its own watches servers that announce nothing', async () => {
  const { url } = await serveTcp((socket, attempt) => socket.write(STREAM_HEAD + (attempt === 1 ? '' : 'data: alive\n\n')))
  const { stream } = subscribe(url, { idleTimeout: 100 })
  const heard = collector<string>()
  stream.on('message', heard.take)
  await heard.reach(1)
})

test('heartbeats keep a quiet stream open', async () => {
  const { url } = await serveEmitter({ heartbeat: 20 })
  const beats = collector<void>()
  const counting: typeof fetch = async (input, init) => {
    const { body, ...response } = await fetch(input, init).then((it) => ({ body: it.body!, status: it.status, headers: it.headers }))
    return new Response(body.pipeThrough(new TransformStream({ transform: (chunk, to) => (beats.take(), to.enqueue(chunk)) })), response)
  }
  const { stream, statuses } = subscribe(url, { idleTimeout: 300, fetch: counting })
  stream.on('message', () => {})
  await beats.reach(40)
  expect(statuses.filter(({ state }) => state === 'connecting')).toHaveLength(1)
})

test.each(['$ready', '$gap'])('a broken %s is reported, and the stream lives on', async (name) => {
  const { url } = await serveTcp((socket) =>
    socket.write(`${STREAM_HEAD}event: ${name}\ndata: {broken\n\nevent: ${name}x\ndata: {}\n\ndata: on\n\n`),
  )
  const { stream, errors } = subscribe(url)
  const heard = collector<string>()
  stream.on('message', heard.take)
  await heard.reach(1)
  expect(errors.map(({ code, event }) => [code, event])).toEqual([['invalid-payload', name]])
})

test('a broken $end is obeyed all the same: whatever it says, it says not to come back', async () => {
  const { url, attempts } = await serveTcp((socket) => socket.write(`${STREAM_HEAD}event: $end\ndata: {broken\n\n`))
  const { stream } = subscribe(url)
  stream.on('message', () => {})
  expect([await stream.closed, attempts.length]).toEqual([{ reason: 'ended' }, 1])
})

test('attempts are counted from the last connection that was good', async () => {
  const { url } = await serveTcp((socket, attempt) => socket.end(attempt === 3 ? `${STREAM_HEAD}data: good\n\n` : STREAM_HEAD))
  const { stream, statuses, status } = subscribe(url)
  const counted = status(() => statuses.filter(({ state }) => state === 'open').length === 5)
  stream.on('message', () => {})
  await counted
  const attempts = statuses.flatMap((it) => (it.state === 'connecting' && it.retryAt === undefined ? [it.attempt] : []))
  expect(attempts.slice(0, 5)).toEqual([1, 2, 3, 1, 2])
})

test('a terminal event completes the stream, and a plain end does not', async () => {
  const ready = 'event: $ready\ndata: {"epoch":"e","ends":["halted"]}\n\n'
  const { url, attempts } = await serveTcp((socket, attempt) =>
    socket.end(STREAM_HEAD + ready + (attempt === 1 ? 'data: "one"\n\n' : 'event: halted\ndata: {"symbol":"BTC","reason":"x"}\n\n')),
  )
  const stream = createSubscriber(url, { backoff: { base: 1, max: 1 } })
  const heard = collector<string>()
  stream.on('halted', (_, { event }) => heard.take(event))
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(heard.items).toEqual(['halted'])
  expect(attempts).toHaveLength(2)
})
