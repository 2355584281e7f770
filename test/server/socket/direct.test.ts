import { expect, test } from 'vitest'
import { openClient } from './client.ts'
import { serveAround } from './server.ts'

// Small chunks go past the socket to what is below it, large ones do not.

test('a small event that is emitted while large ones wait in the socket comes behind them', async () => {
  const { port, emitter } = await serveAround(undefined, { highWaterMark: 64 << 20 })
  const client = await openClient(port)
  const stream = client.ask()
  await stream.opened
  let emitted = 0
  const emit = async (size: number): Promise<void> => {
    await emitter.emit('message', `${emitted++} ${'.'.repeat(size)}`)
    await new Promise(setImmediate)
  }
  // How node writes is seen at the first small one.
  await emit(10)
  client.socket.pause()
  // The system is full, and one waits in the socket.
  while (emitter.stats().buffered === 0) await emit(50_000)
  for (const size of [50_000, 10, 50_000, 10, 10]) await emit(size)
  client.socket.resume()
  await stream.until(({ messages }) => messages.length === emitted)
  expect(stream.messages.map((text) => Number.parseInt(text, 10))).toEqual(Array.from({ length: emitted }, (_, i) => i))
})
