import { describe, expect, test } from 'vitest'
import type { EmitterOptions } from 'eventwire/server'
import type { Market } from '../../support/market.ts'
import { WAYS } from '../../support/ways.ts'
import { listenZipped } from '../../support/zipped.ts'
import { serveCompressed, type ServedCompressed } from './support.ts'

interface Ending {
  readonly options?: EmitterOptions<Market>
  readonly end: (served: ServedCompressed) => unknown
}

/** What ends a stream. */
const ENDS: Readonly<Record<string, Ending>> = {
  'the emitter closes': { end: ({ emitter }) => emitter.close() },
  'the emitter closes, with grace': { end: ({ emitter }) => emitter.close({ grace: 60 }) },
  'the connection is closed': { end: ({ connections }) => connections.forEach((connection) => connection.close()) },
  'it is as old as it may be': { options: { connect: () => ({ maxAge: 1_000 }) }, end: () => {} },
}

describe.each(WAYS)('by %s', (_, listener) => {
  test.each(Object.entries(ENDS))('when %s, the stream ends as gzip does, with a right checksum', async (_end, { options, end }) => {
    const served = await serveCompressed(listener, options)
    const [zipped, fetched] = [await listenZipped(served.url), await fetch(served.url)]
    const text = fetched.text()
    await zipped.until(({ cursor }) => cursor !== '')
    for (let count = 1; count <= 20; count++) {
      void served.emitter.emit('message', `event ${count}`)
      await zipped.until(({ events }) => events.length === count)
    }
    await end(served)
    await zipped.ended
    expect(zipped.whole()).toBe(zipped.text)
    // It would reject if the stream were not whole.
    for (const whole of [zipped.whole(), await text]) expect(whole.match(/event \d+$/gm)).toHaveLength(20)
  })

  test('a stream that ends right after an event is still whole, whatever its size', async () => {
    const { url, emitter } = await serveCompressed(listener)
    const stream = await listenZipped(url)
    await stream.until(({ cursor }) => cursor !== '')
    const large = Array.from({ length: 60_000 }, (_value, i) => (i * 7_919) % 100_003).join(' ')
    void emitter.emit('message', large)
    await emitter.close({ grace: 1_000 })
    await stream.ended
    expect(stream.whole()).toBe(stream.text)
    expect(stream.events[0]!.data === large).toBe(true)
  })
})
