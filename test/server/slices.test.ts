import { expect, test } from 'vitest'
import { createEmitter, type Emitter } from 'eventwire/server'
import { listen } from '../support/listen.ts'
import { market, type Market } from '../support/market.ts'
import { serve } from '../support/serve.ts'

/** Time that each write takes, in ms: some way to the many thousand connections that it takes otherwise. */
const WRITE = 1

function burn(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

/** A server whose writes take long, and clients that have begun to listen. */
async function slow(emitter: Emitter<Market>, clients: number) {
  let writes = 0
  const { url } = await serve((request, response) => {
    const write = response.write.bind(response)
    response.write = (chunk: Uint8Array) => {
      burn(WRITE)
      writes++
      return write(chunk)
    }
    emitter.handleNode(request, response)
  })
  const streams = await Promise.all(Array.from({ length: clients }, () => listen(url)))
  for (const stream of streams) await stream.until(({ cursor }) => cursor !== '')
  return { streams, written: () => writes - clients }
}

test('while many connections are written to, others have their turn, and what is emitted meanwhile follows in order', async () => {
  const emitter = createEmitter(market)
  const { streams, written } = await slow(emitter, 150)
  void emitter.emit('message', '0')
  const seen: number[] = []
  while (written() < 150) {
    await new Promise(setImmediate)
    seen.push(written())
    void emitter.emit('message', String(seen.length))
  }
  // Had it been done in one go, nothing of it would have been seen on the way.
  expect(seen.filter((writes) => writes > 0 && writes < 150).length).toBeGreaterThan(1)
  const all = Array.from({ length: seen.length + 1 }, (_, i) => String(i))
  for (const stream of streams) {
    await stream.until(({ events }) => events.length === all.length)
    expect(stream.events.map(({ data }) => data)).toEqual(all)
  }
  await emitter.close()
})

test('who is sent something alone in the midst of a sweep hears first what was emitted before, and nothing twice', async () => {
  const open: { send(event: 'message', data: string): Promise<boolean> }[] = []
  const emitter = createEmitter(market, { onConnect: (connection) => void open.push(connection) })
  const { streams } = await slow(emitter, 100)
  for (let i = 0; i < 5; i++) void emitter.emit('message', `before ${i}`)
  await new Promise(setImmediate)
  for (const connection of open) expect(await connection.send('message', 'alone')).toBe(true)
  void emitter.emit('message', 'after')
  const expected = [...Array.from({ length: 5 }, (_, i) => `before ${i}`), 'alone', 'after']
  for (const stream of streams) {
    await stream.until(({ events }) => events.length === expected.length)
    expect(stream.events.map(({ data }) => data)).toEqual(expected)
  }
  await emitter.close()
})

test('who comes or goes in the midst of a sweep takes nothing from the others, and hears what comes after', async () => {
  const emitter = createEmitter(market)
  const { streams } = await slow(emitter, 100)
  void emitter.emit('message', 'one')
  await new Promise(setImmediate)
  for (const stream of streams.slice(0, 20)) stream.leave()
  const id = await emitter.emit('message', 'two')
  const { streams: late } = await slow(emitter, 1)
  const resumed = await listen((await serve((request, response) => emitter.handleNode(request, response))).url, { 'last-event-id': id })
  void emitter.emit('message', 'three')
  for (const stream of streams.slice(20)) {
    await stream.until(({ events }) => events.length === 3)
    expect(stream.events.map(({ data }) => data)).toEqual(['one', 'two', 'three'])
  }
  for (const stream of [...late, resumed]) {
    await stream.until(({ events }) => events.length === 1)
    expect(stream.events.map(({ data }) => data)).toEqual(['three'])
  }
  await emitter.close()
})
