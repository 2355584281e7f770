import { describe, expect, test } from 'vitest'
import { price } from '../../support/market.ts'
import { seeded } from '../../support/random.ts'
import { WAYS } from '../../support/ways.ts'
import { listenZipped, type Zipped } from '../../support/zipped.ts'
import { serveCompressed } from './support.ts'

/** Waits until all have heard an event. */
async function reach(streams: Iterable<Zipped>, id: string): Promise<void> {
  for (const { until } of streams) await until(({ cursor }) => cursor === id)
}

describe.each(WAYS)('by %s', (_, listener) => {
  test('connections with the same topics are sent the same bytes from the next key frame on, whenever they came', async () => {
    const { url, emitter } = await serveCompressed(listener)
    const streams: Zipped[] = []
    let count = 0
    const emit = async (bytes: number): Promise<void> => {
      const end = count + bytes / 100
      while (count < end) await reach(streams, await emitter.emit('price', price(++count)))
    }
    for (let joining = 0; joining < 5; joining++) {
      streams.push(await listenZipped(`${url}?topic=a&topic=b`))
      await emit(1_000)
    }
    // A window of 8 KB, and the events that are no whole number of them.
    await emit(10_000)
    const begun = streams.map(({ body }) => body.byteLength)
    await emit(10_000)
    const bytes = streams.map(({ body }, i) => body.subarray(begun[i]))
    expect(bytes[0]!.byteLength).toBeGreaterThan(0)
    for (const other of bytes) expect(other.equals(bytes[0]!)).toBe(true)
    expect(streams[0]!.text.length / streams[0]!.body.byteLength).toBeGreaterThan(2)
  })

  test('a hundred clients that come and go at random hear every event of their topics from when they came', async () => {
    const random = seeded(7)
    const { url, emitter } = await serveCompressed(listener)
    const topics = [undefined, 'a', 'b']
    const emitted: { readonly id: string; readonly topic: string | undefined; readonly data: string }[] = []
    const open = new Map<Zipped, readonly string[]>()
    const check = (stream: Zipped, heard: readonly string[]): void => {
      const begun = /^id: (.*)\n\n/m.exec(stream.text)?.[1]
      const from = emitted.findIndex(({ id }) => id === begun) + 1
      const to = emitted.findIndex(({ id }) => id === stream.events.at(-1)?.id) + 1
      const due = emitted.slice(from, to).filter(({ topic }) => topic === undefined || heard.includes(topic))
      if (to === 0) return
      expect(stream.events.map(({ id }) => id)).toEqual(due.map(({ id }) => id))
      for (const [i, { data }] of stream.events.entries()) expect(data).toBe(due[i]!.data)
    }
    let joined = 0
    while (joined < 100 || emitted.length < 500) {
      if (joined < 100 && random() < 0.4) {
        const heard = [[], ['a'], ['b'], ['a', 'b']][Math.floor(random() * 4)]!
        joined++
        open.set(await listenZipped(`${url}?${heard.map((topic) => `topic=${topic}`).join('&')}`), heard)
      }
      if (open.size > 20 && random() < 0.3) {
        const [stream, heard] = [...open][Math.floor(random() * open.size)]!
        open.delete(stream)
        stream.leave()
        await stream.ended
        check(stream, heard)
      }
      for (let burst = random() * 6; burst > 0; burst--) {
        const topic = topics[Math.floor(random() * 3)]
        const event = price(emitted.length)
        const id = await emitter.emit('price', event, topic === undefined ? {} : { topic })
        emitted.push({ id, topic, data: JSON.stringify(event) })
      }
      if (random() < 0.5) await new Promise(setImmediate)
    }
    const id = await emitter.emit('message', 'the last')
    emitted.push({ id, topic: undefined, data: 'the last' })
    await reach(open.keys(), id)
    await emitter.close()
    for (const [stream, heard] of open) {
      await stream.ended
      check(stream, heard)
      expect(stream.whole() === stream.text).toBe(true)
    }
  })
})
