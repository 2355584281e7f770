import { describe, expect, test } from 'vitest'
import type { Emitter } from 'eventwire/server'
import { serveEmitter } from '../support/emitter.ts'
import { listen } from '../support/listen.ts'
import type { Market } from '../support/market.ts'
import { stall } from '../support/stall.ts'

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
  stall(port)
  await connected(1)
  await fill(emitter)
  await emitter.close()
})

test('close does not wait for a client that stopped reading when little was left to read', async () => {
  const { port, emitter, connected } = await serveEmitter({ heartbeat: 60_000, stallTimeout: 60_000 })
  stall(port)
  await connected(1)
  // The kernel takes no more, and the response holds less than would make it full.
  while (emitter.stats().buffered === 0) {
    void emitter.emit('message', 'x'.repeat(10_000))
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

describe('with grace', () => {
  test('those who are still there hear what is emitted, and new ones are refused', async () => {
    const { url, emitter } = await serveEmitter()
    const streams = await Promise.all(Array.from({ length: 20 }, () => listen(url)))
    await Promise.all(streams.map((stream) => stream.until(({ cursor }) => cursor !== '')))
    const closed = emitter.close({ grace: '400ms' })
    const emitted: string[] = []
    const publishing = setInterval(() => {
      emitted.push(`${emitted.length}`)
      emitter.emit('message', emitted.at(-1)!).catch(() => {})
    }, 5)
    const refused = await fetch(url)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1'])
    let over = false
    void closed.then(() => (over = true))
    const heard: number[] = []
    for (const stream of streams) {
      await stream.ended
      // Each has heard all from the first to its own end.
      expect(stream.events.map(({ data }) => data)).toEqual(emitted.slice(0, stream.events.length))
      heard.push(stream.events.length)
    }
    clearInterval(publishing)
    await closed
    expect(over).toBe(true)
    // They have not all ended together.
    expect(Math.max(...heard)).toBeGreaterThan(Math.min(...heard) + 10)
    await expect(emitter.emit('message', 'too late')).rejects.toMatchObject({ code: 'emitter-closed' })
  })

  test('each client is asked to wait for a time of its own', async () => {
    const { url, emitter } = await serveEmitter({ retry: 500 })
    const streams = await Promise.all(Array.from({ length: 20 }, () => listen(url)))
    await emitter.close({ grace: 100 })
    await Promise.all(streams.map(({ ended }) => ended))
    const asked = streams.map(({ text }) => Number(/\nretry: (\d+)\n\n$/.exec(text)?.[1]))
    for (const retry of asked) expect(retry >= 500 && retry <= 1_000).toBe(true)
    expect(new Set(asked).size).toBeGreaterThan(10)
  })

  test('a second call joins the first', async () => {
    const { url, emitter, connected } = await serveEmitter()
    const stream = await listen(url)
    await connected(1)
    await Promise.all([emitter.close({ grace: 100 }), emitter.close({ grace: '1h' }), emitter.close()])
    await stream.ended
  })

  test('who leaves by itself is not waited for', async () => {
    const { url, emitter, connected } = await serveEmitter()
    const stream = await listen(url)
    await connected(1)
    const closed = emitter.close({ grace: '1h' })
    stream.leave()
    await closed
  })

  test('what is left when it is over is cut', async () => {
    const { port, emitter, connected } = await serveEmitter()
    stall(port)
    await connected(1)
    await fill(emitter)
    await emitter.close({ grace: 100 })
  })

  test('a grace that is none is refused, and nothing is closed', async () => {
    const { url, emitter } = await serveEmitter()
    for (const grace of [-1, NaN, Infinity]) {
      await expect(emitter.close({ grace })).rejects.toMatchObject({ code: 'invalid-option' })
    }
    expect((await listen(url)).response.status).toBe(200)
  })
})

/** Emits more than the kernel's buffers take. */
async function fill(emitter: Emitter<Market>): Promise<void> {
  for (let i = 0; i < 200; i++) {
    void emitter.emit('message', 'x'.repeat(100_000))
    await new Promise(setImmediate)
  }
}
