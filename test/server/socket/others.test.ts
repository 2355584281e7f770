import type { ServerResponse } from 'node:http'
import { expect, test } from 'vitest'
import { dial, head } from '../../support/raw.ts'
import { openClient } from './client.ts'
import { listenersOf, serveAround } from './server.ts'

// Somebody else has a hand in the response while the stream is open.

const turn = (): Promise<void> => new Promise(setImmediate)

const ENDS: readonly (readonly [string, (response: ServerResponse) => void])[] = [
  ['', (response) => void response.end()],
  [' with some last words', (response) => void response.end(': bye\n\n')],
  [' with trailers', (response) => void (response.addTrailers({ sum: '1' }), response.end())],
]

test.each(ENDS)('when the application itself ends the response%s, nothing follows, and the connection goes on', async (_how, end) => {
  const { port, emitter, responses, sockets, connected } = await serveAround()
  const client = await openClient(port)
  await client.ask('GET /plain').complete
  const before = listenersOf(sockets[0]!)
  for (let round = 1; round <= 3; round++) {
    const stream = client.ask()
    await stream.opened
    void emitter.emit('message', 'one')
    await stream.until(({ messages }) => messages.length === 1)
    void emitter.emit('message', 'with the end')
    end(responses.at(-1)!)
    for (let i = 0; i < 5; i++) {
      void emitter.emit('message', 'too late')
      await turn()
    }
    await stream.complete
    expect(stream.messages).not.toContain('too late')
    await connected(0)
    const other = client.ask('GET /plain')
    void emitter.emit('message', 'too late')
    await other.complete
    expect(Buffer.from(other.body).toString()).toBe('plain')
    expect(listenersOf(sockets[0]!)).toEqual(before)
  }
})

test('when the application ends the response and writes of an event are pending, the socket takes what was written', async () => {
  const { port, emitter, responses } = await serveAround(undefined, { highWaterMark: 1 })
  const client = await openClient(port)
  const stream = client.ask()
  await stream.opened
  client.socket.pause()
  const text = 'x'.repeat(900_000)
  for (let i = 0; i < 20; i++) {
    void emitter.emit('message', text)
    await turn()
  }
  responses[0]!.end()
  void emitter.emit('message', 'too late')
  client.socket.resume()
  await stream.complete
  const other = client.ask('GET /plain')
  await other.complete
  expect(stream.messages.every((message) => message === text)).toBe(true)
})

test.each([
  ['the response', (response: ServerResponse) => void response.destroy()],
  ['its socket', (response: ServerResponse) => void response.socket!.destroy()],
  ["the request's socket", (response: ServerResponse) => void response.req.socket.destroy()],
  ['the socket with a reset', (response: ServerResponse) => void response.socket!.resetAndDestroy()],
])('when the application destroys %s, the emitter and the others go on', async (_what, destroy) => {
  const { port, emitter, responses, connected } = await serveAround()
  const [client, other] = [await openClient(port), await openClient(port)]
  const stream = client.ask()
  await stream.opened
  const stays = other.ask()
  await stays.opened
  void emitter.emit('message', 'one')
  destroy(responses[0]!)
  for (let i = 0; i < 5; i++) {
    void emitter.emit('message', 'one more')
    await turn()
  }
  await client.closed
  await connected(1)
  await stays.until(({ messages }) => messages.length === 6)
  expect(stream.response.complete).toBe(false)
})

test('what the application writes into the stream comes in its place, between whole events', async () => {
  const { port, emitter, responses } = await serveAround()
  const stream = (await openClient(port)).ask()
  await stream.opened
  for (let i = 0; i < 50; i++) {
    void emitter.emit('message', `ours ${i} ${'é'.repeat(i * 100)}`)
    if (i % 2) await turn()
    responses[0]!.write(`data: theirs ${i}\n\n`)
    if (i % 3) await turn()
    if (i % 7 === 0) responses[0]!.write('')
  }
  await stream.until(({ messages }) => messages.length === 100)
  const numbers = (whose: string): string[] => stream.messages.filter((text) => text.startsWith(whose)).map((text) => text.split(' ')[1]!)
  const all = Array.from({ length: 50 }, (_, i) => String(i))
  expect([numbers('ours'), numbers('theirs')]).toEqual([all, all])
})

test.each(['before the stream', 'in mid-stream'])('a response that somebody has corked %s is sent once it is uncorked', async (when) => {
  let held: ServerResponse | undefined
  const { port, emitter, responses, connected } = await serveAround((_request, response, answer) => {
    if (when === 'before the stream') {
      response.cork()
      held = response
    }
    answer()
  })
  const stream = (await openClient(port)).ask()
  await connected(1)
  if (!held) {
    await stream.opened
    held = responses[0]!
    held.cork()
  }
  for (let i = 0; i < 10; i++) {
    void emitter.emit('message', `ours ${i}`)
    held.write(`data: theirs ${i}\n\n`)
    await turn()
  }
  held.uncork()
  await stream.until(({ messages }) => messages.length === 20)
  void emitter.emit('message', 'behind')
  await stream.until(({ messages }) => messages.at(-1) === 'behind')
})

test('headers and cookies that were set before are sent with the stream', async () => {
  const { port, emitter } = await serveAround((_request, response, answer) => {
    response.setHeader('x-frame-options', 'DENY').setHeader('set-cookie', ['a=1']).setHeader('cache-control', 'private')
    answer()
  })
  const stream = (await openClient(port)).ask()
  await stream.opened
  await emitter.emit('message', 'one')
  await stream.until(({ messages }) => messages.length === 1)
  const { headers } = stream.response
  expect([headers.get('x-frame-options'), headers.get('set-cookie')]).toEqual(['DENY', 'a=1'])
  expect(headers.get('cache-control')).toContain('no-transform')
})

test('trailers that the application has announced come behind the stream', async () => {
  const { port, emitter, responses, connections } = await serveAround((_request, response, answer) => {
    response.setHeader('trailer', 'events')
    answer()
  })
  const client = await openClient(port)
  const stream = client.ask()
  await stream.opened
  void emitter.emit('message', 'one')
  await stream.until(({ messages }) => messages.length === 1)
  responses[0]!.addTrailers({ events: '1' })
  for (const connection of connections) connection.close()
  await stream.complete
  expect(stream.response.trailers.get('events')).toBe('1')
  await client.ask('GET /plain').complete
})

test.each([
  ['content-length', '1000000'],
  ['transfer-encoding', 'identity'],
])('a %s that was set before by mistake gets the bytes of the stream as they are, or in chunks if it says so', async (name, value) => {
  const { port, emitter } = await serveAround((_request, response, answer) => {
    response.setHeader(name, value)
    answer()
  })
  const client = await dial(port)
  client.write(head('GET /events'))
  await client.until('\n\nid: ')
  void emitter.emit('message', 'one')
  await client.until('data: one\n\n')
  const [top = '', ...rest] = client.text.split('\r\n\r\n')
  const chunked = /^transfer-encoding: chunked$/im.test(top)
  expect(rest.join('\r\n\r\n')).toMatch(chunked ? /^[0-9a-f]+\r\nevent: \$ready\n/ : /^event: \$ready\n/)
})

test('chunks that the application has switched off are not sent', async () => {
  const { port, emitter, connections } = await serveAround((_request, response, answer) => {
    response.useChunkedEncodingByDefault = false
    answer()
  })
  const client = await openClient(port)
  const stream = client.ask()
  await stream.opened
  expect(stream.response.framing).toBe('connection')
  void emitter.emit('message', 'one')
  await stream.until(({ messages }) => messages.length === 1)
  for (const connection of connections) connection.close()
  await client.closed
  expect(stream.response.complete).toBe(true)
})

test('early hints that the application sends come before the stream', async () => {
  const { port, emitter } = await serveAround((_request, response, answer) => {
    response.writeEarlyHints({ link: '</style.css>; rel=preload' })
    answer()
  })
  const client = await openClient(port)
  const stream = client.ask()
  await stream.opened
  void emitter.emit('message', 'one')
  await stream.has('data: one\n\n')
  expect(client.reader.interim).toBe(1)
})

test('who waits for the end of the response, as loggers do, hears of it once, and how much went over the socket', async () => {
  const heard: string[] = []
  const { port, emitter, connections, sockets, connected } = await serveAround((_request, response, answer) => {
    for (const name of ['finish', 'close']) response.on(name, () => heard.push(`${name} ${response.writableFinished}`))
    answer()
  })
  const client = await openClient(port)
  const stream = client.ask()
  await stream.opened
  for (let i = 0; i < 100; i++) void emitter.emit('message', 'x'.repeat(i * 100))
  await stream.has(`data: ${'x'.repeat(9_900)}\n\n`)
  for (const connection of connections) connection.close()
  await stream.complete
  await connected(0)
  expect(heard).toEqual(['finish true', 'close true'])
  expect(sockets[0]!.bytesWritten).toBe(client.socket.bytesRead)
})
