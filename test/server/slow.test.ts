import { expect, onTestFinished, test } from 'vitest'
import { createDecoder, type Gap } from 'eventwire/wire'
import { serveEmitter } from '../support/emitter.ts'
import { listen } from '../support/listen.ts'
import { stall } from '../support/stall.ts'

const BLOCK = 'x'.repeat(50_000)

test('a reader that stalls holds up nobody, and hears of a gap when it reads on too late', async () => {
  const { url, port, emitter, connected } = await serveEmitter({ history: { events: 50 } })
  const slow = stall(port)
  await connected(1)
  const quick = await listen(url)
  await connected(2)
  // More than the kernel's buffers take.
  for (let i = 1; i <= 1_000; i++) {
    await emitter.emit('message', `${i} ${BLOCK}`)
    await quick.until(({ events }) => events.length === i)
  }
  expect(quick.gaps).toEqual([])

  const heard: number[] = []
  const gaps: Gap[] = []
  const done = Promise.withResolvers<void>()
  const decoder = createDecoder({
    onMessage({ event, data }) {
      if (event === '$gap') gaps.push(JSON.parse(data))
      if (event === 'message') heard.push(Number.parseInt(data))
      if (heard.at(-1) === 1_000) done.resolve()
    },
  })
  const chunked = dechunk((bytes) => decoder.push(bytes))
  slow.on('data', chunked)
  slow.resume()
  await done.promise
  expect(gaps).toHaveLength(1)
  expect(gaps[0]!.reason).toBe('overflow')
  const oldest = Number(gaps[0]!.oldest.split('-')[1])
  const requested = Number(gaps[0]!.requested.split('-')[1])
  // All before the gap, then all from its end: what is missing is what the gap says.
  const count = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)
  expect(heard).toEqual([...count(1, requested), ...count(oldest, 1_000)])
})

test('a reader that stalls for good is gone after the stall timeout and a heartbeat', async () => {
  const { port, emitter, connected } = await serveEmitter({ heartbeat: 50, stallTimeout: 100 })
  stall(port)
  await connected(1)
  const beat = setInterval(() => void emitter.emit('message', BLOCK.repeat(10)), 1)
  onTestFinished(() => clearInterval(beat))
  await connected(0)
})

test('who comes back for more than fits at once, and reads it, is sent all of it, whatever becomes of the slow', async () => {
  const { url, emitter } = await serveEmitter({ slowConsumer: { latest: () => 'all the same' } })
  const first = await emitter.emit('message', 'x'.repeat(200))
  for (let i = 0; i < 2_000; i++) await emitter.emit('message', `${i} ${'x'.repeat(200)}`)
  const stream = await listen(url, { 'last-event-id': first })
  await stream.until(({ events }) => events.length === 2_000)
  expect(stream.gaps).toEqual([])
})

test('is not sent to alone while it is slow, and the sender is told', async () => {
  const { port, emitter, connections, connected } = await serveEmitter()
  stall(port)
  await connected(1)
  const [connection] = connections
  let sent = true
  for (let i = 0; sent && i < 1_000; i++) {
    void emitter.emit('message', BLOCK.repeat(10))
    sent = await connection!.send('message', 'for you')
  }
  expect(sent).toBe(false)
})

/** Takes HTTP apart: gives the body of a chunked response to `onBody`. */
function dechunk(onBody: (bytes: Uint8Array) => void): (data: Buffer) => void {
  let rest = Buffer.alloc(0)
  let headed = false
  return (data) => {
    rest = Buffer.concat([rest, data])
    if (!headed) {
      const end = rest.indexOf('\r\n\r\n')
      if (end < 0) return
      headed = true
      rest = rest.subarray(end + 4)
    }
    for (;;) {
      const end = rest.indexOf('\r\n')
      const size = end < 0 ? Infinity : Number.parseInt(rest.subarray(0, end).toString(), 16)
      if (rest.length < end + 2 + size + 2) return
      onBody(rest.subarray(end + 2, end + 2 + size))
      rest = rest.subarray(end + 2 + size + 2)
    }
  }
}
