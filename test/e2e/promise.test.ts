import type { Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { defineEvents } from 'eventwire'
import { createSubscriber, type Gap, type Subscriber } from 'eventwire/client'
import { createEmitter, memoryLog } from 'eventwire/server'
import { serve } from '../support/serve.ts'

const PUBLISHERS = 5
const SUBSCRIBERS = 50
const TOPICS = ['red', 'green', 'blue']
const CUTTING = 10_000

const events = defineEvents({
  step: z.object({ publisher: z.int(), n: z.int() }),
  end: z.object({ round: z.int() }),
})

interface Listener {
  readonly stream: Subscriber<typeof events>
  readonly topics: readonly string[]
  readonly heard: string[]
  readonly gaps: Gap[]
  reconnected: number
  /** Resolves when the end of a round has been heard. */
  ended(round: number): Promise<void>
}

/** Every subscriber listens to one topic, to two or to all three; all of them to what has no topic. */
const topicsOf = (i: number): string[] => TOPICS.filter((_, t) => ((i % 7) + 1) & (1 << t))

test(`${PUBLISHERS} publishers, ${SUBSCRIBERS} subscribers, connections cut at random for 10 s: each hears its exact sequence, and a gap when the log is replaced`, async () => {
  const log = memoryLog({ events: 1_000_000, bytes: 1 << 30 })
  const emitter = createEmitter(events, { log, retry: 0 })
  const sockets = new Set<Socket>()
  const { url, server } = await serve((request, response) => {
    emitter.handleNode(request, response, { topics: new URL(request.url!, 'http://localhost').searchParams.getAll('topic') })
  })
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })

  /** What was published, in the order of the log. */
  const published: { topic: string | undefined; step: string }[] = []
  const listeners = Array.from({ length: SUBSCRIBERS }, (_, i) => startListener(url, topicsOf(i)))
  await Promise.all(listeners.map(({ stream }) => opened(stream)))

  const stop = AbortSignal.timeout(CUTTING)
  await Promise.all([
    ...Array.from({ length: PUBLISHERS }, async (_, publisher) => {
      for (let n = 0; !stop.aborted; n++) {
        const topic = pick([undefined, ...TOPICS])
        published.push({ topic, step: `${publisher}:${n}` })
        await emitter.emit('step', { publisher, n }, topic === undefined ? {} : { topic })
        await pause(Math.random() * 8)
      }
    }),
    (async () => {
      for (let k = 0; !stop.aborted; k++) {
        await pause(Math.random() * 20)
        const socket = pick([...sockets])
        // By turns a reset and an orderly end, wherever in an event that falls.
        if (k % 2) socket?.resetAndDestroy()
        else socket?.end()
      }
    })(),
  ])
  await emitter.emit('end', { round: 1 })
  await Promise.all(listeners.map((it) => it.ended(1)))

  for (const { topics, heard, gaps } of listeners) {
    expect(heard).toEqual(published.filter(({ topic }) => topic === undefined || topics.includes(topic)).map(({ step }) => step))
    expect(gaps).toEqual([])
  }
  expect(published.length).toBeGreaterThan(2_000)
  const reconnections = listeners.reduce((sum, { reconnected }) => sum + reconnected, 0)
  expect(reconnections).toBeGreaterThan(100)

  const { epoch } = log
  log.clear()
  await emitter.emit('end', { round: 2 })
  await Promise.all(listeners.map((it) => it.ended(2)))
  for (const { gaps } of listeners) {
    expect(gaps).toHaveLength(1)
    expect(gaps[0]).toMatchObject({ reason: 'epoch' })
    expect(gaps[0]!.requested.startsWith(epoch)).toBe(true)
  }
  console.log(
    `${published.length} events published, ${listeners.reduce((sum, { heard }) => sum + heard.length, 0)} handled, ${reconnections} reconnections`,
  )
  for (const { stream } of listeners) stream.close()
  await emitter.close()
}, 60_000)

function startListener(url: string, topics: readonly string[]): Listener {
  const query = new URLSearchParams(topics.map((topic) => ['topic', topic]))
  const stream = createSubscriber(events, `${url}?${query}`, { backoff: { base: 1, max: 1 } })
  onTestFinished(() => stream.close())
  const rounds = new Map<number, PromiseWithResolvers<void>>()
  const round = (n: number): PromiseWithResolvers<void> => {
    if (!rounds.has(n)) rounds.set(n, Promise.withResolvers())
    return rounds.get(n)!
  }
  const listener: Listener = { stream, topics, heard: [], gaps: [], reconnected: 0, ended: (n) => round(n).promise }
  stream.on('step', ({ publisher, n }) => listener.heard.push(`${publisher}:${n}`))
  stream.on('end', (end) => round(end.round).resolve())
  stream.onGap((gap) => listener.gaps.push(gap))
  stream.onStatus((status) => {
    if (status.state === 'open' && status.resumed) listener.reconnected++
  })
  return listener
}

function opened(stream: Subscriber<typeof events>): Promise<void> {
  return new Promise((resolve) => {
    const off = stream.onStatus((status) => {
      if (status.state !== 'open' || status.resumed === undefined) return
      off()
      resolve()
    })
  })
}

function pick<T>(items: readonly T[]): T {
  return items[Math.floor(Math.random() * items.length)]!
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
