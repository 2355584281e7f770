import { describe, expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { defineEvents, text, type EventwireError } from 'eventwire'
import { createSubscriber } from 'eventwire/client'
import { streamEvents, type EventStreams, type StreamEventsOptions, type StreamRequest, type StreamedEvent } from 'eventwire/server'
import { caught } from '../support/caught.ts'
import { listen } from '../support/listen.ts'
import { serve, type Served } from '../support/serve.ts'
import { WAYS } from '../support/ways.ts'

const job = defineEvents(
  {
    progress: z.object({ percent: z.number() }),
    token: text(),
    failed: z.object({ reason: z.string() }),
    done: z.object({ total: z.int() }),
  },
  { ends: ['done'] },
)
type Job = typeof job
type Streamed = StreamedEvent<Job>

const progress = (percent: number): Streamed => ({ event: 'progress', data: { percent } })

/** Pends until the signal aborts, then fails as `fetch` does. */
function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const fail = (): void => reject(signal.reason as Error)
    if (signal.aborted) fail()
    else signal.addEventListener('abort', fail)
  })
}

describe.each(WAYS)('with %s', (_, listener) => {
  type Generator = (request: StreamRequest<undefined>) => AsyncIterable<Streamed> | Iterable<Streamed>

  async function open(
    generator: Generator,
    options: StreamEventsOptions<Job> = {},
  ): Promise<Served & { streams: EventStreams; errors: EventwireError[] }> {
    const errors: EventwireError[] = []
    const streams = streamEvents(job, { onError: (error) => void errors.push(error), ...options }, generator)
    const served = await serve(listener(streams))
    onTestFinished(() => streams.close())
    return { ...served, streams, errors }
  }

  test('each request has its own events, and is told when that was all', async () => {
    let made = 0
    const { url, streams } = await open(async function* () {
      const mine = ++made
      yield progress(mine)
      yield { event: 'token', data: 'line one\nline two' }
    })
    for (const number of [1, 2]) {
      const stream = await listen(url)
      await stream.ended
      expect(stream.messages.map(({ event, data }) => [event, data])).toEqual([
        ['$ready', expect.stringContaining('"heartbeat":15000')],
        ['progress', `{"percent":${number}}`],
        ['token', 'line one\nline two'],
        ['$end', '{"reason":"done"}'],
      ])
    }
    expect(streams.connections).toBe(0)
  })

  test('a subscriber hears them typed, and does not come back after the end', async () => {
    let made = 0
    const { url } = await open(function* () {
      made++
      yield progress(50)
      yield progress(100)
      yield { event: 'done', data: { total: 2 } }
    })
    const stream = createSubscriber(job, url, { backoff: { base: 1, max: 1 } })
    const heard: number[] = []
    stream.on('progress', ({ percent }) => void heard.push(percent))
    expect(await stream.closed).toEqual({ reason: 'ended' })
    expect(heard).toEqual([50, 100])
    expect(made).toBe(1)
  })

  test('an id takes a client that was cut on to where it was', async () => {
    const { url, cut } = await open(async function* ({ lastEventId, signal }) {
      for (let i = Number(lastEventId ?? 0) + 1; i <= 4; i++) {
        if (i === 3 && lastEventId === undefined) await untilAborted(signal)
        yield { event: 'token', data: `token ${i}`, id: String(i) }
      }
    })
    const stream = createSubscriber(job, url, { backoff: { base: 1, max: 1 } })
    const heard: string[] = []
    stream.on('token', (token) => {
      heard.push(token)
      if (heard.length === 2) cut()
    })
    await stream.closed
    expect(heard).toEqual(['token 1', 'token 2', 'token 3', 'token 4'])
  })

  test.each([
    ['the header', (id: string) => ({ headers: { 'last-event-id': Buffer.from(id).toString('latin1') }, query: '' })],
    ['the query', (id: string) => ({ headers: {}, query: `?lastEventId=${encodeURIComponent(id)}` })],
  ])('an id outside ASCII comes back as it was, in %s', async (_where, given) => {
    const seen: unknown[] = []
    const { url } = await open(({ lastEventId }) => {
      seen.push(lastEventId)
      return []
    })
    const { headers, query } = given('é✓')
    await (await fetch(url + query, { headers })).text()
    expect(seen).toEqual(['é✓'])
  })

  test('a prompt comes by POST, with its body', async () => {
    const { url } = await open(async function* ({ request }) {
      const { prompt } = (await request.json()) as { prompt: string }
      for (const word of prompt.split(' ')) yield { event: 'token', data: word }
    })
    const body = JSON.stringify({ prompt: `tell me ${'more '.repeat(50_000)}` })
    const response = await fetch(url, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
    const said = await response.text()
    expect(said).toContain('event: token\ndata: tell\n\nevent: token\ndata: me\n\n')
    expect(said.match(/data: more\n/g)).toHaveLength(50_000)
    expect(said).toMatch(/event: \$end\ndata: {"reason":"done"}\n\n$/)
  })

  test('what connect grants is at hand', async () => {
    const streams = streamEvents(
      job,
      {
        connect: (request) =>
          request.headers.has('authorization') ? { context: { user: 'ada' } } : new Response('Who are you?', { status: 401 }),
      },
      async function* ({ context }) {
        yield { event: 'token', data: context.user.toUpperCase() }
      },
    )
    const { url } = await serve(listener(streams))
    expect((await fetch(url)).status).toBe(401)
    const stream = await listen(url, { authorization: 'Bearer x' })
    await stream.ended
    expect(stream.events.map(({ data }) => data)).toEqual(['ADA'])
  })

  test('other methods are refused', async () => {
    const { url } = await open(() => [])
    const response = await fetch(url, { method: 'DELETE' })
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, POST, HEAD'])
    const head = await fetch(url, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-type')]).toEqual([200, 'text/event-stream'])
  })

  test('it is drawn from only as fast as the client takes it', async () => {
    let drawn = 0
    const ended = Promise.withResolvers<void>()
    const { url } = await open(
      function* () {
        try {
          for (;;) {
            drawn++
            yield { event: 'token', data: 'x'.repeat(100_000) }
          }
        } finally {
          ended.resolve()
        }
      },
      { heartbeat: 20, stallTimeout: 50 },
    )
    // It reads nothing, and is ended for it.
    const response = await fetch(url)
    await ended.promise
    expect(drawn).toBeLessThan(500)
    await response.text().catch(() => '')
  })

  describe('finally runs, and the signal aborts, when the client leaves', () => {
    test.each<[string, (signal: AbortSignal, started: () => void) => AsyncGenerator<Streamed>]>([
      [
        'while the generator waits, before its first event',
        async function* (signal, started) {
          started()
          await untilAborted(signal)
          yield progress(1)
        },
      ],
      [
        'while the generator waits between events',
        async function* (signal, started) {
          yield progress(1)
          started()
          await untilAborted(signal)
        },
      ],
      [
        'while it waits for what does not heed the signal',
        async function* (_signal, started) {
          yield progress(1)
          started()
          await new Promise((resolve) => setTimeout(resolve, 50))
          yield progress(2)
        },
      ],
      [
        'while it writes',
        async function* (_signal, started) {
          for (;;) {
            yield { event: 'token', data: 'x'.repeat(100_000) }
            started()
          }
        },
      ],
    ])('%s', async (_when, generate) => {
      const started = Promise.withResolvers<void>()
      const ended = Promise.withResolvers<boolean>()
      const { url, streams, errors } = await open(async function* ({ signal }) {
        try {
          yield* generate(signal, () => started.resolve())
        } finally {
          ended.resolve(signal.aborted)
        }
      })
      const leaving = new AbortController()
      const response = await fetch(url, { signal: leaving.signal })
      await started.promise
      leaving.abort()
      expect(await ended.promise).toBe(true)
      expect(streams.connections).toBe(0)
      expect(errors).toEqual([])
      await response.text().catch(() => '')
    })
  })

  test('an iterator that is no generator is told to return at once', async () => {
    const returned = Promise.withResolvers<void>()
    const asked = Promise.withResolvers<void>()
    const { url } = await open(() => ({
      [Symbol.asyncIterator]: () => ({
        next() {
          asked.resolve()
          return new Promise<IteratorResult<Streamed>>(() => {})
        },
        return() {
          returned.resolve()
          return Promise.resolve({ done: true as const, value: undefined })
        },
      }),
    }))
    const stream = await listen(url)
    await asked.promise
    stream.leave()
    await returned.promise
  })

  test('a generator that returns without a terminal event of its contract has not completed the stream', async () => {
    const { url } = await open(function* () {
      yield progress(50)
    })
    const stream = createSubscriber(job, url)
    stream.on('progress', () => {})
    stream.onError(() => {})
    expect(await stream.closed).toMatchObject({ reason: 'fatal', error: { code: 'interrupted' } })
  })

  test('an error ends the stream, onError hears it, and the client tries again', async () => {
    let made = 0
    const { url, errors } = await open(async function* () {
      yield progress(1)
      if (made++ === 0) throw new Error('no database')
      yield { event: 'done', data: { total: 1 } }
    })
    const cut = await listen(url)
    await cut.ended
    expect(cut.messages.map(({ event }) => event)).toEqual(['$ready', 'progress'])
    expect(cut.text).not.toContain('database')
    expect(errors).toMatchObject([{ code: 'hook-failed', message: 'The hook generator failed: no database' }])
    const stream = createSubscriber(job, url, { backoff: { base: 1, max: 1 } })
    stream.on('progress', () => {})
    expect(await stream.closed).toEqual({ reason: 'ended' })
  })

  test('an error may be said in an event of the contract, and is the end', async () => {
    const { url, errors } = await open(
      () => {
        throw new Error('no database')
      },
      { error: (error) => ({ event: 'failed', data: { reason: (error as Error).message } }) },
    )
    const stream = await listen(url)
    await stream.ended
    expect(stream.messages.slice(1).map(({ event, data }) => [event, data])).toEqual([
      ['failed', '{"reason":"no database"}'],
      ['$end', '{"reason":"done"}'],
    ])
    expect(errors).toMatchObject([{ code: 'hook-failed', message: 'The hook generator failed: no database' }])
  })

  test.each<[string, unknown, string]>([
    ['an event that the contract does not know', { event: 'nope', data: 1 }, 'nope'],
    ['data that the contract refuses', { event: 'progress', data: { percent: 'much' } }, 'progress'],
    ['an id that would break out of its line', { event: 'token', data: 'x', id: '1\ndata: injected' }, 'id'],
    ['an id longer than it would be taken back', { event: 'token', data: 'x', id: '1'.repeat(257) }, 'id'],
    ['no event', null, ''],
  ])('%s from a generator is an error of it', async (_what, yielded, named) => {
    const ended = Promise.withResolvers<void>()
    const { url, errors } = await open(async function* () {
      try {
        yield yielded as Streamed
      } finally {
        ended.resolve()
      }
    })
    const stream = await listen(url)
    await stream.ended
    await ended.promise
    expect(stream.messages.map(({ event }) => event)).toEqual(['$ready'])
    expect(errors).toMatchObject([{ code: 'hook-failed', message: expect.stringContaining(named) as string }])
  })

  test('an error option that fails itself is reported, and the stream ends', async () => {
    const { url, errors } = await open(
      () => {
        throw new Error('no database')
      },
      {
        error: () => {
          throw new Error('no words')
        },
      },
    )
    const stream = await listen(url)
    await stream.ended
    expect(errors.map(({ message }) => message)).toEqual(['The hook generator failed: no database', 'The hook error failed: no words'])
  })

  test('a generator that takes its time is bridged by heartbeats', async () => {
    const go = Promise.withResolvers<void>()
    const { url } = await open(
      async function* () {
        await go.promise
        yield progress(1)
      },
      { heartbeat: 10 },
    )
    const stream = await listen(url)
    await stream.until((it) => it.text.includes('\n:\n\n:\n\n'))
    go.resolve()
    await stream.ended
    expect(stream.events).toHaveLength(1)
  })

  describe('close', () => {
    test('without grace ends every stream at once, whatever its generator does, and the client will come back', async () => {
      const aborted = Promise.withResolvers<void>()
      const { url, streams } = await open(async function* ({ signal }) {
        signal.addEventListener('abort', () => aborted.resolve())
        yield progress(1)
        await new Promise(() => {})
      })
      const stream = await listen(url)
      await stream.until(({ events }) => events.length === 1)
      await streams.close()
      await Promise.all([aborted.promise, stream.ended])
      expect(stream.text).toMatch(/\n\nretry: 1\d\d\d\n\n$/)
      expect((await fetch(url)).status).toBe(503)
    })

    test('with grace asks the generator to end, and sends its last words', async () => {
      const { url, streams } = await open(async function* ({ signal }) {
        yield progress(1)
        await untilAborted(signal).catch(() => {})
        yield { event: 'token', data: 'to be continued', id: '1' }
      })
      const stream = await listen(url)
      await stream.until(({ events }) => events.length === 1)
      await streams.close({ grace: 10_000 })
      await stream.ended
      expect(stream.events.map(({ data }) => data)).toEqual(['{"percent":1}', 'to be continued'])
      // It has not come to its end: the client comes back for the rest.
      expect(stream.text).not.toContain('$end')
      expect(stream.text).toContain('retry: ')
    })

    test('cuts a generator that does not heed it when the grace is over', async () => {
      const { url, streams } = await open(async function* () {
        yield progress(1)
        await new Promise(() => {})
      })
      const stream = await listen(url)
      await stream.until(({ events }) => events.length === 1)
      await streams.close({ grace: 60 })
      await stream.ended
      expect(streams.connections).toBe(0)
    })

    test('without a stream resolves at once, and a second call joins the first', async () => {
      const { streams } = await open(() => [])
      await Promise.all([streams.close({ grace: '1m' }), streams.close()])
    })
  })
})

test('bad arguments are refused where they are made', async () => {
  const none = async function* (): AsyncGenerator<Streamed> {}
  expect(caught(() => streamEvents({} as Job, none)).message).toContain('defineEvents')
  expect(caught(() => streamEvents(job, {} as unknown as typeof none)).message).toContain('generator')
  expect(caught(() => streamEvents(job, { heartbeat: 1 }, none)).message).toContain('heartbeat')
  await expect(streamEvents(job, none).close({ grace: 'soon' as '1s' })).rejects.toMatchObject({ code: 'invalid-option' })
})
