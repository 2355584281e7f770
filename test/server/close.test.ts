import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { serveEmitter } from '../support/emitter.ts'
import { listen } from '../support/listen.ts'

test('close ends every stream after what was emitted, refuses new ones, and resolves when the last is gone', async () => {
  const { url, emitter, connections, connected } = await serveEmitter()
  const streams = await Promise.all(Array.from({ length: 20 }, () => listen(url)))
  await connected(20)
  void emitter.emit('message', 'the last word')
  await Promise.all([emitter.close(), emitter.close()])
  expect(connections.size).toBe(0)
  for (const stream of streams) {
    await stream.ended
    expect(stream.events.map(({ data }) => data)).toEqual(['the last word'])
    expect(stream.text.endsWith('\n\n')).toBe(true)
  }
  const refused = await fetch(url)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
})

test('close does not wait for a client that has stopped reading', async () => {
  const { port, emitter, connected } = await serveEmitter()
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.on('error', () => {}).pause()
  socket.write('GET /events HTTP/1.1\r\nhost: x\r\n\r\n')
  await connected(1)
  for (let i = 0; i < 200; i++) {
    void emitter.emit('message', 'x'.repeat(100_000))
    await new Promise(setImmediate)
  }
  await emitter.close()
})

test('close without a connection resolves at once', async () => {
  const { emitter } = await serveEmitter()
  await emitter.close()
})

test('a stream whose response was given before close, and is read after it, ends', async () => {
  const { emitter, connections } = await serveEmitter()
  const response = await emitter.handle(new Request('http://localhost/events'))
  await emitter.close()
  expect(await response.text()).toBe('')
  expect(connections.size).toBe(0)
})
