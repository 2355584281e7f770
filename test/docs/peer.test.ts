import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { defineEvents, text } from 'eventwire'
import { memoryLog, streamEvents } from 'eventwire/server'
import { serveEmitter } from '../support/emitter.ts'
import { price } from '../support/market.ts'
import { serve } from '../support/serve.ts'
import { spawned } from '../support/spawned.ts'

/** What the client in Python prints. */
interface Said {
  readonly event?: string
  readonly data?: unknown
  readonly id?: string
  readonly gap?: { readonly reason: string; readonly requested: string; readonly oldest: string }
  readonly over?: string
}

interface Peer {
  readonly said: readonly Said[]
  /** Waits until `test` holds; looks after whatever it has said. */
  until(test: (said: readonly Said[]) => boolean): Promise<void>
}

/** Starts the client of docs/protocol.md, in Python. It is gone at the end of the test. */
function startPeer(...args: string[]): Peer {
  const program = spawned('python3', [join(import.meta.dirname, 'peer.py'), ...args])
  const said: Said[] = []
  const read = (): void => {
    const lines = program.stdout.split('\n').slice(said.length, -1)
    said.push(...lines.map((line) => JSON.parse(line) as Said))
  }
  return {
    said,
    until: (holds) =>
      program.until(() => {
        read()
        return holds(said)
      }),
  }
}

const WITHOUT = spawnSync('python3', ['--version']).status !== 0 && !process.env['CI']

describe.skipIf(WITHOUT)('a client that is written from docs/protocol.md alone, in Python', () => {
  test('hears each event of its topics once and in order, over cuts, as JSON or raw text', async () => {
    const { url, emitter, connected, cut } = await serveEmitter({ retry: 50 })
    const { said, until } = startPeer(`${url}?topic=BTC`)
    await connected(1)
    for (let n = 1; n <= 30; n++) {
      void emitter.emit('price', price(n), { topic: 'BTC' })
      void emitter.emit('price', price(n, 'ETH'), { topic: 'ETH' })
      if (n % 10 === 5) cut()
      // What comes now comes while it is away, or has just come back.
      if (n % 10 === 0) await until(({ length }) => length >= n)
    }
    void emitter.emit('message', 'a line\nand "another"')
    await until(({ length }) => length > 30)
    expect(said.slice(0, 30).map(({ data }) => (data as { usd: number }).usd)).toEqual(Array.from({ length: 30 }, (_, n) => n + 1))
    expect(said.slice(30)).toEqual([{ event: 'message', data: 'a line\nand "another"', id: emitter.stats().log.head }])
    expect(emitter.stats()).toMatchObject({ gaps: 0, replays: 3 })
  })

  test('resumes from where it connected, though it has heard nothing yet', async () => {
    const { url, emitter, connected, cut } = await serveEmitter({ retry: 50 })
    void emitter.emit('message', 'before it came')
    const { said, until } = startPeer(url)
    await connected(1)
    cut()
    void emitter.emit('message', 'while it is away')
    await until(({ length }) => length > 0)
    expect(said).toEqual([{ event: 'message', data: 'while it is away', id: emitter.stats().log.head }])
  })

  test('hears a gap when the log has forgotten what it missed, and goes on with what is left', async () => {
    const { url, emitter, connected, cut } = await serveEmitter({ retry: 50, history: { events: 2 } })
    const { said, until } = startPeer(url)
    await connected(1)
    const first = await emitter.emit('message', 'one')
    await until(({ length }) => length === 1)
    cut()
    const later = ['two', 'three', 'four'].map((line) => emitter.emit('message', line))
    await until(({ length }) => length === 4)
    expect(said[1]!.gap).toEqual({ reason: 'evicted', requested: first, oldest: await later[1] })
    expect(said.slice(2).map(({ data }) => data)).toEqual(['three', 'four'])
  })

  test('hears a gap in mid-stream when the log is another one', async () => {
    const log = memoryLog()
    const { url, emitter, connected } = await serveEmitter({ log })
    const { said, until } = startPeer(url)
    await connected(1)
    void emitter.emit('message', 'one')
    await until(({ length }) => length === 1)
    log.clear()
    void emitter.emit('message', 'two')
    await until(({ length }) => length === 3)
    expect([said[1]!.gap?.reason, said[2]!.data]).toEqual(['epoch', 'two'])
  })

  test('goes on behind a cursor in several logs', async () => {
    const shards = [memoryLog(), memoryLog()]
    const shardOf = (topic?: string): number => (topic === 'ETH' ? 1 : 0)
    const { url, emitter } = await serveEmitter({ log: { shards, shardOf } })
    const { head } = emitter.stats().log
    void emitter.emit('price', price(1, 'BTC'), { topic: 'BTC' })
    void emitter.emit('price', price(2, 'ETH'), { topic: 'ETH' })
    const { said, until } = startPeer(`${url}?topic=BTC&topic=ETH`, head)
    await until(({ length }) => length === 2)
    expect(said.map(({ data }) => data)).toEqual(expect.arrayContaining([price(1, 'BTC'), price(2, 'ETH')]))
    expect(emitter.stats()).toMatchObject({ gaps: 0, replays: 1 })
  })

  test('knows the end of a stream by $end, by a terminal event, and by an answer that is final', async () => {
    const job = defineEvents({ step: text(), done: text() }, { ends: ['done'] })
    const plain = streamEvents(defineEvents({ step: text() }), function* () {
      yield { event: 'step', data: 'one' }
    })
    const complete = streamEvents(job, function* () {
      yield { event: 'done', data: 'all' }
    })
    const { url } = await serve((request, response) => {
      if (request.url === '/plain') plain.handleNode(request, response)
      else if (request.url === '/complete') complete.handleNode(request, response)
      else response.writeHead(Number(request.url?.slice(1))).end()
    })
    const overs = ['plain', 'complete', '204', '404'].map(async (path) => {
      const { said, until } = startPeer(new URL(`/${path}`, url).href)
      await until(() => said.at(-1)?.over !== undefined)
      return said.map(({ over, data }) => over ?? data)
    })
    expect(await Promise.all(overs)).toEqual([['one', 'end'], ['all', 'complete'], ['status 204, None'], ['status 404']])
  })
})
