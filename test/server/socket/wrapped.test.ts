import { ServerResponse, type RequestListener } from 'node:http'
import { constants, createGzip, gunzipSync } from 'node:zlib'
import express from 'express'
import { expect, test } from 'vitest'
import { serve } from '../../support/serve.ts'
import { openClient, messagesIn, type Answered } from './client.ts'
import { serveAround, watchedEmitter } from './server.ts'

// Somebody stands between the response and its socket: what passes through `res` must still pass through there.

type Write = ServerResponse['write']

/** Compresses what is written to a response, as `compression` does: decides when the head is written, and flushes when asked to, or at each write. */
function compress(response: ServerResponse): void {
  const { write, end } = response
  const gzip = createGzip({ flush: constants.Z_SYNC_FLUSH })
  let over = false
  gzip.on('data', (chunk) => void write.call(response, chunk, 'utf8'))
  gzip.on('end', () => void end.call(response, '', 'utf8'))
  atHead(response, () => response.setHeader('content-encoding', 'gzip'))
  response.write = ((chunk: Uint8Array) => gzip.write(chunk)) as Write
  response.end = function (this: ServerResponse, chunk?: Uint8Array) {
    if (!over) gzip.end(chunk)
    over = true
    return this
  } as ServerResponse['end']
}

/** Notes what goes through a response's `write`. */
function tap(response: ServerResponse, seen: Uint8Array[]): void {
  const { write } = response
  response.write = tapped(response, write, seen)
}

function tapped(response: ServerResponse, write: Write, seen: Uint8Array[]): Write {
  return ((chunk: Uint8Array) => {
    // It may be changed later.
    seen.push(chunk.slice())
    return write.call(response, chunk, 'utf8')
  }) as Write
}

/** What it is asked for, it gives of its own, or else of the response. */
function proxy(response: ServerResponse, own: Readonly<Record<PropertyKey, unknown>>): ServerResponse {
  return new Proxy(response, {
    get(target, name) {
      if (name in own) return own[name]
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

/** Does something when the head is written, once. */
function atHead(response: ServerResponse, act: () => void): void {
  const { writeHead } = response
  response.writeHead = (...args: unknown[]) => {
    response.writeHead = writeHead
    act()
    return Reflect.apply(writeHead, response, args) as ServerResponse
  }
}

const unzipped = ({ body }: Answered): Uint8Array => gunzipSync(body, { finishFlush: constants.Z_SYNC_FLUSH })

/** What stands around the response. `seen` is what its own `write` is given, where it has one. */
type Wrapping = (response: ServerResponse, seen: Uint8Array[]) => ServerResponse

const WRITES: Readonly<Record<string, Wrapping>> = {
  'a write of its own'(response, seen) {
    tap(response, seen)
    return response
  },
  'a write that is replaced when the head is written'(response, seen) {
    atHead(response, () => tap(response, seen))
    return response
  },
  'a write of its class'(response, seen) {
    const { write } = response
    const own = Object.create(ServerResponse.prototype, { write: { value: tapped(response, write, seen), writable: true } }) as object
    return Object.setPrototypeOf(response, own) as ServerResponse
  },
  'a proxy that has a write of its own': (response, seen) => proxy(response, { write: tapped(response, response.write, seen) }),
  'a delegate that has a write of its own'(response, seen) {
    const own = {
      write: tapped(response, response.write, seen),
      writeHead: response.writeHead.bind(response),
      end: response.end.bind(response),
    }
    return Object.assign(Object.create(response) as ServerResponse, own)
  },
}

const OTHERS: Readonly<Record<string, Wrapping>> = {
  'another prototype, as Express gives it': (response) =>
    Object.setPrototypeOf(response, Object.create(ServerResponse.prototype) as object) as ServerResponse,
  'a proxy that passes on what it is asked': (response) => proxy(response, {}),
  'an end of its own, which comes later'(response) {
    const { end } = response
    response.end = (() => {
      setImmediate(() => end.call(response, '', 'utf8'))
      return response
    }) as ServerResponse['end']
    return response
  },
  'a head that others add to when it is written'(response) {
    atHead(response, () => response.setHeader('x-time', '1'))
    return response
  },
}

const WRAPPINGS = [...Object.entries(WRITES), ...Object.entries(OTHERS)]

test.each(WRAPPINGS)('%s: the stream comes whole, ends, and its connection goes on', async (name, wrap) => {
  let seen: Uint8Array[] = []
  const { port, emitter, connections, connected } = await serveAround((_request, response, answer) => answer(wrap(response, seen)))
  const client = await openClient(port)
  for (let round = 1; round <= 2; round++) {
    seen = []
    const stream = client.ask()
    await stream.opened
    const texts = Array.from({ length: 20 }, (_, i) => `${round} ${i} ${'ü'.repeat(i * 50)}`)
    for (const [i, text] of texts.entries()) {
      void emitter.emit('message', text)
      if (i % 3 === 0) await stream.until(({ messages }) => messages.length === i + 1)
    }
    await stream.until(({ messages }) => messages.length === texts.length)
    for (const connection of connections) connection.close()
    await stream.complete
    expect([stream.messages, stream.response.framing]).toEqual([texts, 'chunks'])
    if (name in WRITES) expect(Buffer.concat(seen).equals(stream.body)).toBe(true)
    await client.ask('GET /plain').complete
    await connected(0)
  }
})

test('a write that is replaced in mid-stream is used from then on', async () => {
  const seen: Uint8Array[] = []
  const { port, emitter, responses } = await serveAround()
  const stream = (await openClient(port)).ask()
  await stream.opened
  tap(responses[0]!, seen)
  void emitter.emit('message', 'one')
  await stream.until(({ messages }) => messages.length === 1)
  expect(Buffer.concat(seen).toString()).toContain('data: one\n\n')
})

test.each(['before', 'when its head is written'])(
  'what is written to a response that is said to be compressed %s goes through it',
  async (when) => {
    const seen: Uint8Array[] = []
    const { port, emitter } = await serveAround((_request, response, answer) => {
      const say = (): void => void response.setHeader('content-encoding', 'br')
      if (when === 'before') say()
      else atHead(response, say)
      tap(response, seen)
      answer()
    })
    const stream = (await openClient(port)).ask()
    await stream.opened
    void emitter.emit('message', 'one')
    await stream.until(({ messages }) => messages.length === 1)
    expect([stream.response.headers.get('content-encoding'), Buffer.concat(seen).equals(stream.body)]).toEqual(['br', true])
  },
)

test.each([
  ['node:http', (listener: RequestListener) => listener],
  ['Express', (listener: RequestListener): RequestListener => express().use((request, response) => listener(request, response))],
])('behind %s with a middleware that compresses, each event arrives before the next is emitted', async (_name, make) => {
  const { emitter, connections, connected } = watchedEmitter()
  const { port } = await serve(
    make((request, response) => {
      compress(response)
      emitter.handleNode(request, response)
    }),
  )
  const client = await openClient(port)
  for (let round = 1; round <= 2; round++) {
    const stream = client.ask()
    await connected(1)
    for (let count = 1; count <= 20; count++) {
      void emitter.emit('message', `${count}`)
      await stream.until((it) => it.body.length > 0 && messagesIn(unzipped(it)).length === count)
    }
    expect(stream.response.headers.get('content-encoding')).toBe('gzip')
    for (const connection of connections) connection.close()
    await stream.complete
    expect(messagesIn(gunzipSync(stream.body)).length).toBe(20)
    await connected(0)
  }
})
