import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { SubscriberOptions } from 'eventwire/client'
import { serveEmitter } from '../support/emitter.ts'
import { missingNginx, startNginx } from '../support/nginx.ts'
import { response, serveTcp, STREAM_HEAD } from '../support/serve.ts'
import { collector, subscribe, type Subscribed } from '../support/subscribe.ts'

const HEARTBEAT = ':\n\n'
const ready = (heartbeat: number): string =>
  `event: $ready\ndata: {"epoch":"e","resumed":false,"replayed":0,"heartbeat":${heartbeat},"text":["message"],"ends":[]}\n\nid: e-0\n\n`

/** A subscriber on a clock that stands still. */
interface Still extends Subscribed {
  /** How often it has asked for the stream. */
  attempts(): number
  /** The newest stream sends something. */
  send(text: string): Promise<void>
  /** The newest stream ends. */
  end(): Promise<void>
  /** Time passes, and the timers go off that are due. */
  pass(ms: number): Promise<void>
  /** Time passes in which the machine sleeps: no timer goes off before it is over. */
  sleep(ms: number): void
}

/** Lets what has been caused come about. */
const happen = (): Promise<void> => new Promise(setImmediate)

/** Subscribes to streams that a test writes. */
async function still(options: SubscriberOptions = {}): Promise<Still> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'] })
  const { now } = performance
  // No clock stands at 0 by the time that a stream opens.
  let slept = 1
  vi.spyOn(performance, 'now').mockImplementation(() => now.call(performance) + slept)
  // Every wait between attempts is 500 ms.
  vi.spyOn(Math, 'random').mockReturnValue(1 - Number.EPSILON)
  onTestFinished(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })
  const streams: ReadableStreamDefaultController<Uint8Array>[] = []
  const fetch = (): Promise<Response> => {
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void streams.push(controller) })
    return Promise.resolve(new Response(body, { headers: { 'content-type': 'text/event-stream' } }))
  }
  const subscribed = subscribe('/events', { fetch, ...options })
  subscribed.stream.on('message', () => {})
  await happen()
  return {
    ...subscribed,
    attempts: () => streams.length,
    send(text) {
      streams.at(-1)!.enqueue(new TextEncoder().encode(text))
      return happen()
    },
    end() {
      streams.at(-1)!.close()
      return happen()
    },
    async pass(ms) {
      await vi.advanceTimersByTimeAsync(ms)
      await happen()
    },
    sleep(ms) {
      slept += ms
    },
  }
}

const OPEN = { state: 'open' }
const DEAD = { state: 'connecting', error: { code: 'timeout' } }

describe('a stream that announces heartbeats', () => {
  test.each([
    ['an idleTimeout of its own', { idleTimeout: 5_000 }, 1_000, 5_000],
    ['an idleTimeout that is longer', { idleTimeout: 90_000 }, 15_000, 90_000],
    ['quick heartbeats: a second at the least', {}, 20, 1_000],
  ])('is dead after what it has: %s', async (_, options, heartbeat, limit) => {
    const { stream, send, pass } = await still(options)
    await send(ready(heartbeat))
    await pass(limit - 1)
    expect(stream.status).toMatchObject(OPEN)
    await pass(1)
    expect(stream.status).toMatchObject(DEAD)
  })

  test('counts its failures anew after five seconds of uptime, and not before', async () => {
    const { stream, statuses, end, pass } = await still()
    stream.onError(() => {})
    for (const uptime of [0, 4_500, 5_001]) {
      await pass(uptime)
      await end()
      // The longest that it waits; up to half of that is uptime of the next.
      await pass(500)
    }
    const attempts = statuses.flatMap((it) => ('retryAt' in it ? [(it as { attempt: number }).attempt] : []))
    expect(attempts).toEqual([2, 3, 1])
  })
})

describe('a stream that announces no heartbeats', () => {
  test.each([
    ['30 s after short pauses', [1, 1, 1, 1], 30],
    ['30 s after pauses of 10 s at most', [1, 10, 1, 1], 30],
    ['three times its longest pause', [1, 20, 1, 1], 60],
    ['three times its longest pause, the first included', [40, 1, 1, 1], 120],
    ['three times its longest pause, be it a late one', [1, 1, 1, 1, 25, 1], 75],
  ])('is dead after a silence of %s', async (_, pauses, limit) => {
    const { stream, send, pass } = await still({ lastEventId: '1' })
    for (const pause of pauses) {
      await pass(pause * 1_000)
      await send(HEARTBEAT)
    }
    await pass(limit * 1_000 - 1)
    expect(stream.status).toMatchObject(OPEN)
    await pass(1)
    expect(stream.status).toMatchObject(DEAD)
  })

  test('is never dead without a cursor: what it brings while it is asked again would be lost', async () => {
    const { stream, attempts, send, pass } = await still()
    for (let reads = 1; reads <= 10; reads++) await send('data: without an id\n\n')
    await pass(86_400_000)
    expect([stream.status, attempts()]).toMatchObject([OPEN, 1])
  })

  test('is not dead before it has brought something four times, be it silent for a day', async () => {
    const { stream, attempts, send, pass } = await still({ lastEventId: '1' })
    for (let reads = 1; reads <= 3; reads++) await send(HEARTBEAT)
    await pass(86_400_000)
    expect([stream.status, attempts()]).toMatchObject([OPEN, 1])
  })
})

describe('when the machine has slept', () => {
  test('a stream that goes on within a second is the same as before', async () => {
    const { stream, attempts, send, pass, sleep } = await still()
    await send(ready(10_000))
    await pass(10_000)
    sleep(3_600_000)
    await pass(20_000)
    await pass(999)
    await send(HEARTBEAT)
    await pass(29_999)
    expect([stream.status, attempts()]).toMatchObject([OPEN, 1])
    await pass(1)
    expect(stream.status).toMatchObject(DEAD)
  })

  test('a stream that is silent for another second is dead', async () => {
    const { stream, send, pass, sleep } = await still()
    await send(ready(10_000))
    await pass(10_000)
    sleep(3_600_000)
    await pass(20_000)
    await pass(999)
    expect(stream.status).toMatchObject(OPEN)
    await pass(1)
    expect(stream.status).toMatchObject(DEAD)
  })
})

test('a stream is not silent while its handlers keep it waiting', async () => {
  const held = Promise.withResolvers<void>()
  const { stream, attempts, send, pass } = await still({ limits: { queue: 1 } })
  stream.on('message', () => held.promise)
  await send(ready(10_000))
  await send('data: one\n\n')
  await pass(3_600_000)
  held.resolve()
  await happen()
  await pass(29_999)
  expect([stream.status, attempts()]).toMatchObject([OPEN, 1])
  await pass(1)
  expect(stream.status).toMatchObject(DEAD)
})

describe('streams that something on the way holds back', () => {
  /** The stream opens, lasts for so long, and ends; then the next one opens. */
  const last = async ({ end, pass }: Still, ms: number): Promise<void> => {
    await pass(ms)
    await end()
    await pass(500)
  }
  const reported = ({ errors }: Subscribed): string[] => errors.map(({ code }) => code)

  test('are reported when three in a row have ended at once without an event, and once', async () => {
    const it = await still()
    await last(it, 0)
    await it.send(ready(10_000))
    await last(it, 999)
    expect(reported(it)).toEqual([])
    for (let ends = 3; ends <= 6; ends++) {
      await last(it, 500)
      expect(reported(it)).toEqual(['buffering'])
    }
    expect(it.errors[0]!.message).toContain('buffering')
  })

  test.each<[string, (it: Still) => Promise<void>]>([
    ['brings an event', (it) => it.send('data: one\n\n')],
    ['lasts for a second', (it) => it.pass(1_000)],
  ])('are reported again when one that %s has come between', async (_, better) => {
    const it = await still()
    for (let ends = 1; ends <= 3; ends++) await last(it, 0)
    await better(it)
    for (let ends = 1; ends <= 3; ends++) await last(it, 0)
    expect(reported(it)).toEqual(['buffering'])
    await last(it, 0)
    expect(reported(it)).toEqual(['buffering', 'buffering'])
  })

  test('are not told by answers that are no streams', async () => {
    const { url, attempts } = await serveTcp((socket) => void socket.end(response('503 No')))
    const { stream, errors } = subscribe(url, { backoff: { base: 1, max: 1, attempts: 4 } })
    stream.on('message', () => {})
    expect(await stream.closed).toMatchObject({ error: { code: 'retries-exhausted' } })
    expect([errors.map(({ code }) => code), attempts.length]).toEqual([['retries-exhausted'], 4])
  })

  test('are told by a silence that follows $ready', async () => {
    const again = Promise.withResolvers<void>()
    const { url } = await serveTcp((socket, attempt) => {
      socket.write(STREAM_HEAD + ready(400))
      if (attempt === 3) again.resolve()
    })
    const { stream, errors, statuses } = subscribe(url)
    stream.on('message', () => {})
    await again.promise
    expect(statuses.filter((it) => it.state === 'connecting' && it.error?.code === 'timeout')).toHaveLength(2)
    expect(errors.map(({ code, message }) => [code, message])).toEqual([['buffering', expect.stringContaining('buffering')]])
  })

  test.each([15_000, 400])(
    'are not told by a quiet stream whose heartbeats came, one in %d ms, and then came no more',
    async (heartbeat) => {
      const it = await still()
      for (let deaths = 1; deaths <= 5; deaths++) {
        await it.send(ready(heartbeat))
        for (let beats = 1; beats <= 2; beats++) {
          await it.pass(heartbeat)
          await it.send(HEARTBEAT)
        }
        await it.pass(3 * heartbeat)
        expect(it.stream.status).toMatchObject(DEAD)
        await it.pass(500)
      }
      expect(reported(it)).toEqual([])
    },
  )

  test('are not told by a machine that fell asleep when a stream had just opened', async () => {
    const it = await still()
    await it.send(ready(10_000))
    await it.pass(5_000)
    it.sleep(3_600_000)
    await it.pass(26_000)
    expect(it.stream.status).toMatchObject(DEAD)
    expect(reported(it)).toEqual([])
  })
})

describe.skipIf(missingNginx)('behind an nginx that buffers', () => {
  const BUFFERING = 'proxy_buffering on; proxy_ignore_headers X-Accel-Buffering;'

  test('streams that the server ends before an event are reported as held back', async () => {
    const { port } = await serveEmitter({ connect: () => ({ maxAge: 300 }) })
    const { url } = await startNginx(port, BUFFERING)
    const { stream, errors } = subscribe(url)
    const told = collector<string>()
    stream.onError(({ message }) => told.take(message))
    stream.on('message', () => {})
    expect((await told.reach(1))[0]).toContain('buffering')
    expect(errors.map(({ code }) => code)).toEqual(['buffering'])
  })

  test('streams that nginx gives up for want of bytes are reported as held back', async () => {
    const { port } = await serveEmitter()
    const { url } = await startNginx(port, `${BUFFERING} proxy_read_timeout 300ms;`)
    const { stream, errors } = subscribe(url)
    const told = collector<string>()
    stream.onError(({ message }) => told.take(message))
    stream.on('message', () => {})
    expect((await told.reach(1))[0]).toContain('buffering')
    expect(errors.map(({ code }) => code)).toEqual(['buffering'])
  })
})
