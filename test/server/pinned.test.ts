import { once } from 'node:events'
import { connect, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createEmitter, type Emitter } from 'eventwire/server'
import { heap } from '../support/heap.ts'
import { market, type Market } from '../support/market.ts'
import { dial, head } from '../support/raw.ts'
import { serve } from '../support/serve.ts'

const MB = 1 << 20

/** How many small events there are. Each lies in a block of 64 KiB of its own, so who holds on to the blocks holds 31 MiB. */
const ROUNDS = 500

/** What may be in use beyond that before: the last of the log, and what connections have for themselves. */
const ALLOWED = 8 * MB

/** An emitter whose log holds next to nothing. */
const forgetful = (): Emitter<Market> => createEmitter(market, { history: { events: 10 }, compression: 'shared' })

/** One for each event. */
const paths = Array.from({ length: ROUNDS }, (_, n) => `/${n}`)

/** Emits small events to the topics in turn, and so much for nobody in between that no two share a block. Gives the growth of what is in use. */
async function growth(emitter: Emitter<Market>, topics: readonly string[]): Promise<number> {
  const before = heap()
  for (let n = 0; n < ROUNDS; n++) {
    void emitter.emit('message', `${n} `.padEnd(60, 'x'), { topic: topics[n % topics.length]! })
    for (let i = 0; i < 13; i++) void emitter.emit('message', 'y'.repeat(5_000), { topic: 'of nobody' })
    await new Promise(setImmediate)
  }
  return heap() - before
}

test.each([
  ['web responses', {}],
  ['web responses in gzip', { 'accept-encoding': 'gzip' }],
])('idle %s hold nothing of the log, whatever they were sent last', async (_name, headers) => {
  const emitter = forgetful()
  const readers = await Promise.all(
    paths.map(async (path) => {
      const response = await emitter.handle(new Request('http://localhost/events', { headers }), { topics: [path] })
      const reader = response.body!.getReader()
      await reader.read()
      return reader
    }),
  )
  expect(await growth(emitter, paths)).toBeLessThan(ALLOWED)
  expect(emitter.stats()).toMatchObject({ connections: ROUNDS, lag: 0 })
  // What they have yet to read is theirs.
  expect(emitter.stats().buffered).toBeGreaterThan(60 * ROUNDS)
  await Promise.all(readers.map((reader) => reader.cancel()))
  await emitter.close()
})

test('idle connections of node in gzip hold nothing of the log, whatever they were sent last', async () => {
  const emitter = forgetful()
  const { port } = await serve((request, response) => emitter.handleNode(request, response, { topics: [request.url!] }))
  const clients = await Promise.all(
    paths.map(async (path) => {
      const client = await dial(port)
      client.write(head(`GET ${path}`, 'accept-encoding: gzip'))
      await client.until('\r\n\r\n')
      return client
    }),
  )
  expect(await growth(emitter, paths)).toBeLessThan(ALLOWED)
  expect(emitter.stats()).toMatchObject({ connections: ROUNDS, lag: 0 })
  for (const { socket } of clients) socket.destroy()
  await emitter.close()
})

test('streams of HTTP/2 that are not read hold what they are sent, and none of the rest of the log', async () => {
  const emitter = forgetful()
  const server = createServer((request, response) => emitter.handleNode(request, response, { topics: ['theirs'] }))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { settings: { initialWindowSize: 0 } })
  onTestFinished(async () => {
    session.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  await once(session, 'connect')
  await Promise.all(
    Array.from({ length: 4 }, () =>
      once(
        session.request({ ':path': '/' }).on('error', () => {}),
        'response',
      ),
    ),
  )
  expect(emitter.stats().connections).toBe(4)

  expect(await growth(emitter, ['theirs'])).toBeLessThan(ALLOWED)
  // They have been sent all of it.
  expect(emitter.stats()).toMatchObject({ connections: 4, lag: 0 })
  expect(emitter.stats().buffered).toBeGreaterThan(4 * 60 * ROUNDS)
  session.destroy()
  await emitter.close()
})
