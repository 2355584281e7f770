// What a user may count on in every runtime: only the package and what the web's standards give, nothing of node.
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { defineEvents, EventwireError, text, type Contract } from 'eventwire'
import {
  createSubscriber,
  sessionCursor,
  type Gap,
  type Source,
  type Status,
  type Subscriber,
  type SubscriberOptions,
} from 'eventwire/client'

/** How a scenario went. */
export interface Result {
  readonly name: string
  readonly ok: boolean
  readonly error?: string
}

/** What a scripted server answers to one request: a stream, unless it says otherwise. */
export interface Answer {
  /** Default: 200. */
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** Sends the body in pieces of so many bytes. Default: at once. */
  readonly step?: number
  /** Whether the response stays open behind the body. Default: it ends. */
  readonly open?: boolean
  /** Sends not even the head. */
  readonly silent?: boolean
}

/** A request for a stream, as the server saw it. */
export interface Seen {
  readonly method: string
  readonly query: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** When it came, in ms. */
  readonly at: number
}

/** How far the flood got. */
export interface Flood {
  /** How many of its events were sent before the client took no more. */
  readonly sent: number
  /** Whether that is all of them. */
  readonly all: boolean
}

interface Price {
  readonly symbol: string
  readonly usd: number
}

/** An event to publish. */
export type Emit = readonly [event: 'price', data: Price] | readonly [event: 'message', data: string]

/** A schema without a library. */
const schema = <T>(isRight: (value: Partial<T>) => boolean): StandardSchemaV1<T> => ({
  '~standard': {
    version: 1,
    vendor: 'suite',
    validate: (value) => (isRight(value as Partial<T>) ? { value: value as T } : { issues: [{ message: 'Not what was agreed' }] }),
  },
})

/** What the emitter of each scenario sends. */
export const market = defineEvents({
  price: schema<Price>(({ symbol, usd }) => typeof symbol === 'string' && typeof usd === 'number'),
  message: text(),
})

/** What answers a POST, word by word. */
export const answer = defineEvents(
  { word: text(), done: schema<{ words: number }>(({ words }) => typeof words === 'number') },
  { ends: ['done'] },
)

/** Firefox and WebKit read a response into memory whether or not the page does: nothing there can pause a server. */
const READS_AHEAD = /Firefox|AppleWebKit(?!.*Chrome)/.test(navigator.userAgent)

/** Workers do where they are in service; by themselves they do not. */
const ASKS_FOR_GZIP = navigator.userAgent !== 'Cloudflare-Workers'

/** What a server of another make sends, which says in its own words that it is done. */
const foreign = defineEvents({ message: text() }, { ends: [{ event: 'message', data: '[DONE]' }] })

/** No scenario takes longer, in ms. */
const LIMIT = 8_000

/** How many scenarios run at a time: a browser has six connections to an origin, and a scenario takes up to three. */
const LANES = 2

/** Runs all scenarios against a server. */
export async function runSuite(server: string): Promise<Result[]> {
  const results: Result[] = []
  const scenarios = Object.entries(SCENARIOS).values()
  const lane = async (): Promise<void> => {
    for (const [name, scenario] of scenarios) results.push({ name, ...(await perform(scenario, server)) })
  }
  await Promise.all(Array.from({ length: LANES }, lane))
  return results
}

async function perform(scenario: (world: World) => Promise<void>, server: string): Promise<Omit<Result, 'name'>> {
  const world = createWorld(`${server}/${Math.random().toString(36).slice(2)}`)
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Nothing came of it within ${LIMIT} ms. ${world.report()}`)), LIMIT)
  })
  try {
    await Promise.race([scenario(world), late])
    return { ok: true }
  } catch (error) {
    return { ok: false, error: String(error) }
  } finally {
    clearTimeout(timer)
    world.leave()
  }
}

const SCENARIOS: Readonly<Record<string, (world: World) => Promise<void>>> = {
  async 'receives events in order, each with its name, its data and its id'({ subscribe, emit, url }) {
    const { stream, ready } = subscribe(market, url('events'))
    const events = collector<unknown>()
    const ids = collector<string>()
    stream.on('price', (data, { event, id }) => {
      events.take([event, data])
      ids.take(id)
    })
    stream.on('message', (line, { event, id }) => {
      events.take([event, line])
      ids.take(id)
    })
    await ready()
    const sent = await emit([price(1), ['message', 'hello'], price(2)])
    same(await events.reach(3), [price(1), ['message', 'hello'], price(2)])
    same(ids.items, sent)
    same(stream.lastEventId, sent[2])
  },

  async 'resumes after a cut and misses nothing'({ subscribe, emit, control, url }) {
    const { stream, statuses, gaps, ready } = subscribe(market, url('events'))
    const prices = collector<number>()
    stream.on('price', ({ usd }) => prices.take(usd))
    await ready()
    await emit([price(1)])
    await prices.reach(1)
    await control('cut')
    await emit([price(2), price(3)])
    same(await prices.reach(3), [1, 2, 3])
    same(statuses.items.at(-1), { state: 'open', resumed: true, replayed: 2 })
    same(gaps.items, [])
  },

  async 'resumes with the cursor in the query'({ subscribe, emit, control, requests, url }) {
    const { stream, ready } = subscribe(market, url('events'), { resumeIn: 'query' })
    const prices = collector<number>()
    stream.on('price', ({ usd }) => prices.take(usd))
    await ready()
    const [id] = await emit([price(1)])
    await prices.reach(1)
    await control('cut')
    await emit([price(2)])
    same(await prices.reach(2), [1, 2])
    const [, second] = await requests(2)
    same([second?.query['lastEventId'], second?.headers['last-event-id']], [id, undefined])
  },

  async 'is told of a gap, in its place, when the log has begun anew'({ subscribe, emit, control, url }) {
    const { stream, ready } = subscribe(market, url('events'))
    const heard = collector<unknown>()
    stream.on('price', ({ usd }) => heard.take(usd))
    stream.onGap(({ reason }) => heard.take(reason))
    await ready()
    await emit([price(1)])
    await heard.reach(1)
    await control('restart')
    await ready()
    await emit([price(2)])
    same(await heard.reach(3), [1, 'epoch', 2])
  },

  async 'a loop takes events at its own pace, and its break leaves the stream open'({ subscribe, emit, url }) {
    const { stream, ready } = subscribe(market, url('events'))
    const handled = collector<number>()
    stream.on('price', ({ usd }) => handled.take(usd))
    await ready()
    await emit([price(1), price(2), price(3)])
    await handled.reach(3)
    const looped: unknown[] = []
    const emitted = emit([price(4), price(5)])
    for await (const { event, data } of stream) {
      looped.push([event, data])
      if (looped.length === 2) break
    }
    await emitted
    same(looped, [price(4), price(5)])
    await emit([price(6)])
    same(await handled.reach(6), [1, 2, 3, 4, 5, 6])
    same(stream.status.state, 'open')
  },

  async 'the events of one name, and a ReadableStream of all, end when the stream is closed'({ subscribe, emit, url }) {
    const { stream, ready } = subscribe(market, url('events'))
    const lines = stream.events('message')
    const reader = stream.toReadableStream().getReader()
    const [line, first] = [lines.next(), reader.read()]
    await ready()
    await emit([price(1), ['message', 'hello']])
    same([(await first).value?.event, (await first).value?.data], price(1))
    const second = await reader.read()
    same([second.value?.event, second.value?.data], ['message', 'hello'])
    same((await line).value?.data, 'hello')
    stream.close()
    same([(await lines.next()).done, (await reader.read()).done], [true, true])
  },

  async 'text arrives as it was sent, whatever it holds'({ subscribe, emit, url }) {
    const { stream, ready } = subscribe(market, url('events'))
    const lines = collector<string>()
    stream.on('message', (line) => lines.take(line))
    await ready()
    const sent = [
      'Grüße, 世界 👩‍👩‍👧',
      'two\nlines\n',
      ' led by a space',
      '',
      'data: x',
      'a\u2028b\u0085c\u0000d',
      '\ufeffx',
      '😀'.repeat(50_000),
    ]
    await emit(sent.map((line) => ['message', line]))
    same(await lines.reach(sent.length), sent)
  },

  async 'a stream that comes byte by byte says the same'({ subscribe, script, url }) {
    const body =
      '\ufeff: beat\r\nid: 1\r\ndata: 世界\r\ndata:😀\r\n\r\nevent: price\ndata: {"symbol":"Ω",\ndata: "usd":1}\n\nid: 3\rdata: last\r\r'
    await script([{ body, step: 1, open: true }])
    const { stream } = subscribe(market, url('script'))
    const events = collector<unknown>()
    stream.on('price', (data, { id }) => events.take([data, id]))
    stream.on('message', (line, { id }) => events.take([line, id]))
    same(await events.reach(3), [
      ['世界\n😀', '1'],
      [{ symbol: 'Ω', usd: 1 }, '1'],
      ['last', '3'],
    ])
  },

  async 'a compressed stream arrives event by event'({ subscribe, script, url }) {
    await script([{ headers: { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' }, body: 'data: one\n\n', open: true }])
    const { stream } = subscribe(market, url('script'))
    const lines = collector<string>()
    stream.on('message', (line) => lines.take(line))
    same(await lines.reach(1), ['one'])
  },

  async 'of a compressed stream each event arrives before the next is published, over its end and over a cut'({
    subscribe,
    emit,
    control,
    requests,
    url,
  }) {
    await control('compress')
    const { stream, statuses, gaps, errors, ready } = subscribe(
      market,
      url('events'),
      ASKS_FOR_GZIP ? {} : { headers: { 'accept-encoding': 'gzip' } },
    )
    const lines = collector<string>()
    stream.on('message', (line) => lines.take(line))
    await ready()
    const sent = Array.from({ length: 40 }, (_, i) => `${i} ${'abcdefgh'.repeat(i % 10 === 9 ? 10_000 : i)}`)
    for (const [i, line] of sent.entries()) {
      if (i === 15) await control('end')
      if (i === 30) await control('cut')
      await emit([['message', line]])
      await lines.reach(i + 1)
    }
    same(lines.items, sent)
    same([gaps.items, errors.items, failures(statuses.items).length], [[], [], 2])
    for (const { headers } of await requests(3))
      if (!headers['accept-encoding']?.includes('gzip')) throw new Error('It did not ask for gzip.')
  },

  async 'half an event is not handed out, and is asked for again'({ subscribe, script, requests, url }) {
    await script([{ body: 'id: 1\ndata: whole\n\nid: 2\ndata: ha' }, { body: 'id: 2\ndata: half\n\n', open: true }])
    const { stream } = subscribe(market, url('script'))
    const lines = collector<string>()
    stream.on('message', (line) => lines.take(line))
    same(await lines.reach(2), ['whole', 'half'])
    same((await requests(2))[1]?.headers['last-event-id'], '1')
  },

  async 'an event that does not fit its schema is reported, and the next one arrives'({ subscribe, script, url }) {
    await script([{ body: 'event: price\ndata: {"symbol":1}\n\nevent: price\ndata: {"symbol":"BTC","usd":2}\n\n', open: true }])
    const { stream, errors } = subscribe(market, url('script'))
    const prices = collector<number>()
    stream.on('price', ({ usd }) => prices.take(usd))
    same(await prices.reach(1), [2])
    same(
      errors.items.map(({ code, event }) => [code, event]),
      [['invalid-payload', 'price']],
    )
  },

  async 'a handler that throws is reported, and stops no other'({ subscribe, script, url }) {
    await script([{ body: 'id: 1\ndata: one\n\n', open: true }])
    const { stream, errors } = subscribe(market, url('script'))
    const lines = collector<string>()
    stream.on('message', () => {
      throw new Error('Not today.')
    })
    stream.on('message', (line) => lines.take(line))
    same(await lines.reach(1), ['one'])
    await errors.reach(1)
    same(
      errors.items.map(({ code, event, id }) => [code, event, id]),
      [['handler-failed', 'message', '1']],
    )
  },

  async 'an event larger than allowed is fatal'({ subscribe, script, url }) {
    await script([{ body: `data: ${'x'.repeat(2_000)}\n\n`, open: true }])
    const { stream } = subscribe(market, url('script'), { limits: { eventBytes: 1_000 } })
    stream.on('message', () => {})
    const { reason, error } = await stream.closed
    same([reason, error?.code], ['fatal', 'too-large'])
  },

  async 'a server of another make says with a text that it is done'({ subscribe, script, url }) {
    await script([{ body: 'data: {"token":"Why"}\n\ndata: [DONE]\n\n' }])
    const { stream } = subscribe(foreign, url('script'))
    const lines: string[] = []
    stream.on('message', (line) => lines.push(line))
    same(await stream.closed, { reason: 'ended' })
    same(lines, ['{"token":"Why"}'])
  },

  async 'a POST is answered with a stream, which its terminal event completes'({ subscribe, requests, url }) {
    const { stream } = subscribe(answer, url('answer'), { body: 'Why is the sky blue?', headers: { 'content-type': 'text/plain' } })
    const words = collector<string>()
    stream.on('word', (word) => words.take(word))
    const done = collector<number>()
    stream.on('done', (data) => done.take(data.words))
    same(await stream.closed, { reason: 'ended' })
    same(words.items, ['Why', 'is', 'the', 'sky', 'blue?'])
    same(done.items, [5])
    same(
      (await requests(1)).map(({ method }) => method),
      ['POST'],
    )
  },

  async 'a POST whose stream is cut short says so, and is not sent again'({ subscribe, script, requests, url }) {
    await script([{ body: 'event: word\ndata: Why\n\n' }])
    const { stream } = subscribe(answer, url('script'), { body: 'Why?', headers: { 'content-type': 'text/plain' } })
    const words = collector<string>()
    stream.on('word', (word) => words.take(word))
    const { reason, error } = await stream.closed
    same([reason, error?.code], ['fatal', 'interrupted'])
    same(words.items, ['Why'])
    same((await requests(1)).length, 1)
  },

  async 'an end without the terminal event is an interruption, and is resumed'({ subscribe, script, requests, url }) {
    await script([{ body: 'id: 1\nevent: word\ndata: Why\n\n' }, { body: 'event: word\ndata: not\n\nevent: done\ndata: {"words":2}\n\n' }])
    const { stream, statuses } = subscribe(answer, url('script'))
    const words = collector<string>()
    stream.on('word', (word) => words.take(word))
    same(await stream.closed, { reason: 'ended' })
    same(words.items, ['Why', 'not'])
    same(failures(statuses.items), ['interrupted'])
    same((await requests(2))[1]?.headers['last-event-id'], '1')
  },

  async '401 lets the application renew its token, and is tried once more'({ subscribe, script, requests, url }) {
    await script([{ status: 401 }, { body: 'data: welcome\n\n', open: true }])
    let token = 'old'
    const { stream } = subscribe(market, url('script'), {
      headers: () => ({ authorization: `Bearer ${token}` }),
      async onUnauthorized({ status }) {
        await Promise.resolve()
        token = `new after ${status}`
      },
    })
    const lines = collector<string>()
    stream.on('message', (line) => lines.take(line))
    same(await lines.reach(1), ['welcome'])
    same(
      (await requests(2)).map(({ headers }) => headers['authorization']),
      ['Bearer old', 'Bearer new after 401'],
    )
  },

  async '503 is tried again, no sooner than its Retry-After allows'({ subscribe, script, requests, url }) {
    await script([
      { status: 503, headers: { 'retry-after': '1' } },
      { body: 'data: back\n\n', open: true },
    ])
    const { stream, statuses } = subscribe(market, url('script'))
    const lines = collector<string>()
    stream.on('message', (line) => lines.take(line))
    same(await lines.reach(1), ['back'])
    const [first, second] = await requests(2)
    if (!first || !second || second.at - first.at < 990) throw new Error(`It came back after ${second!.at - first!.at} ms.`)
    same(failures(statuses.items), ['bad-status'])
  },

  async 'no answer in time is a failure, and tried again'({ subscribe, script, url }) {
    await script([{ silent: true }, { body: 'data: at last\n\n', open: true }])
    const { stream, statuses } = subscribe(market, url('script'), { connectTimeout: 300 })
    const lines = collector<string>()
    stream.on('message', (line) => lines.take(line))
    same(await lines.reach(1), ['at last'])
    same(failures(statuses.items), ['timeout'])
  },

  async 'a redirect is followed'({ subscribe, script, requests, url }) {
    await script([
      { status: 307, headers: { location: url('script', 'moved=yes') } },
      { body: 'data: here\n\n', open: true },
    ])
    const { stream } = subscribe(market, url('script'))
    const lines = collector<string>()
    stream.on('message', (line) => lines.take(line))
    same(await lines.reach(1), ['here'])
    same(
      (await requests(2)).map(({ query }) => query['moved'] ?? 'no'),
      ['no', 'yes'],
    )
  },

  async '204 ends the stream for good'({ subscribe, script, url }) {
    await script([{ status: 204 }])
    const { stream } = subscribe(market, url('script'))
    stream.on('message', () => {})
    same(await stream.closed, { reason: 'ended' })
  },

  async 'a page where a stream should be is fatal, and the error shows its beginning'({ subscribe, script, url }) {
    await script([{ headers: { 'content-type': 'text/html' }, body: '<h1>Sign in</h1>' }])
    const { stream } = subscribe(market, url('script'))
    stream.on('message', () => {})
    const { reason, error } = await stream.closed
    same([reason, error?.code, error?.status, error?.body], ['fatal', 'bad-content-type', 200, '<h1>Sign in</h1>'])
    same(error instanceof EventwireError, true)
  },

  async 'a full queue pauses the server, and nothing is lost of what it holds back'({ subscribe, control, url }) {
    const events = READS_AHEAD ? 200 : 3_000
    const { stream } = subscribe(market, url('flood', `events=${events}`), { limits: { queue: 2 } })
    const numbers = collector<number>()
    const pause = Promise.withResolvers<void>()
    stream.on('message', async (line) => {
      numbers.take(Number(line.slice(0, line.indexOf(' '))))
      await pause.promise
    })
    await numbers.reach(1)
    const { sent, all } = await control<Flood>('flooded')
    if (all && !READS_AHEAD) throw new Error('The whole flood was taken, though nothing of it was handled.')
    pause.resolve()
    await numbers.reach(Math.min(sent + 100, events))
    same(numbers.items, Array.from(numbers.items.keys()))
  },

  async 'a full queue may drop the oldest, and says so in their place'({ subscribe, script, url }) {
    const body = [1, 2, 3, 4, 5, 6].map((number) => `id: ${number}\ndata: ${number}\n\n`).join('')
    await script([{ body, open: true }])
    const { stream } = subscribe(market, url('script'), { limits: { queue: 2 }, overflow: 'drop-oldest' })
    const heard = collector<string>()
    const pause = Promise.withResolvers<void>()
    stream.onGap(({ reason }) => heard.take(reason))
    stream.on('message', async (line) => {
      heard.take(line)
      await pause.promise
    })
    await heard.reach(1)
    pause.resolve()
    await heard.until((items) => items.includes('6'))
    same([heard.items[0], heard.items.filter((item) => item === 'overflow').length, heard.items.at(-1)], ['1', 1, '6'])
  },

  async 'a signal ends it while it waits for an answer'({ subscribe, script, open, url }) {
    await script([{ silent: true }])
    const controller = new AbortController()
    const { stream } = subscribe(market, url('script'), { signal: controller.signal })
    stream.on('message', () => {})
    await open(1)
    controller.abort()
    same(await stream.closed, { reason: 'aborted' })
    await open(0)
  },

  async 'a signal ends it while it reads'({ subscribe, open, url }) {
    const controller = new AbortController()
    const { stream, ready } = subscribe(market, url('events'), { signal: controller.signal })
    stream.on('message', () => {})
    await ready()
    await open(1)
    controller.abort()
    same(await stream.closed, { reason: 'aborted' })
    await open(0)
  },

  async 'silence where heartbeats were promised is noticed'({ subscribe, script, url }) {
    const promise = `event: $ready\ndata: ${JSON.stringify({ epoch: 'x', resumed: false, replayed: 0, heartbeat: 100, text: [], ends: [] })}\n\n`
    await script([
      { body: promise, open: true },
      { body: `${promise}data: alive\n\n`, open: true },
    ])
    const { stream, statuses } = subscribe(market, url('script'))
    const lines = collector<string>()
    stream.on('message', (line) => lines.take(line))
    same(await lines.reach(1), ['alive'])
    same(failures(statuses.items), ['timeout'])
  },

  async 'the address, headers and body may be functions, asked anew at each attempt'({ subscribe, script, requests, url }) {
    await script([{ status: 503 }, { body: 'id: 7\ndata: one\n\n' }, { body: 'data: two\n\n', open: true }])
    const { stream } = subscribe(market, async ({ attempt }) => url('script', `attempt=${attempt}`), {
      method: 'POST',
      idempotent: true,
      headers: async ({ attempt }) => ({ authorization: `attempt ${attempt}`, 'content-type': 'text/plain' }),
      body: async ({ lastEventId }) => `after ${lastEventId || 'nothing'}`,
    })
    const lines = collector<string>()
    stream.on('message', (line) => lines.take(line))
    same(await lines.reach(2), ['one', 'two'])
    same(
      (await requests(3)).map(({ query, headers, body }) => [query['attempt'], headers['authorization'], body]),
      [
        ['1', 'attempt 1', 'after nothing'],
        ['2', 'attempt 2', 'after nothing'],
        ['1', 'attempt 1', 'after 7'],
      ],
    )
  },

  async 'close while it waits for the next attempt is the last that the server hears'({ subscribe, script, requests, url }) {
    await script([{ status: 503 }, { status: 503 }, { body: 'data: another\n\n', open: true }])
    const closed = subscribe(market, url('script', 'who=closed'))
    closed.stream.on('message', () => {})
    await closed.statuses.until((statuses) => failures(statuses).length > 0)
    closed.stream.close()
    same(await closed.stream.closed, { reason: 'aborted' })
    // It would have come back before this one.
    const { stream } = subscribe(market, url('script', 'who=other'), { backoff: { base: 600, max: 1 } })
    const lines = collector<string>()
    stream.on('message', (line) => lines.take(line))
    await lines.reach(1)
    same(
      (await requests(3)).map(({ query }) => query['who']),
      ['closed', 'other', 'other'],
    )
  },

  ...(globalThis.sessionStorage && {
    async 'a later subscriber of the session goes on where the first one left off'({ subscribe, emit, url }) {
      const cursor = sessionCursor(url('events'))
      const first = subscribe(market, url('events'), { cursor })
      const heard = collector<number>()
      first.stream.on('price', ({ usd }) => heard.take(usd))
      await first.ready()
      await emit([price(1)])
      await heard.reach(1)
      first.stream.close()
      await first.stream.closed
      await emit([price(2)])
      const second = subscribe(market, url('events'), { cursor })
      second.stream.on('price', ({ usd }) => heard.take(usd))
      same(await heard.reach(2), [1, 2])
      same(second.statuses.items.at(-1), { state: 'open', resumed: true, replayed: 1 })
    },
  }),

  ...(globalThis.document && {
    async 'a path alone is of the origin of the page'({ subscribe }) {
      const { stream } = subscribe(market, '/stream')
      const lines = collector<string>()
      stream.on('message', (line) => lines.take(line))
      same(await lines.reach(1), ['of this origin'])
    },
  }),
}

/** A price that is told apart by its number. */
function price(usd: number): readonly ['price', Price] {
  return ['price', { symbol: 'BTC', usd }]
}

/** A server of its own for each scenario, and the subscribers to it. */
interface World {
  url(path: string, query?: string): string
  /** Has the server do something. */
  control<T = unknown>(action: string, body?: unknown): Promise<T>
  /** Publishes events; gives their ids. */
  emit(events: readonly Emit[]): Promise<string[]>
  /** Says what `script` answers, request by request. */
  script(answers: readonly Answer[]): Promise<void>
  /** The requests that have come, once there are so many. */
  requests(count: number): Promise<Seen[]>
  /** Waits until so many requests are open. */
  open(count: number): Promise<void>
  /** A subscriber that reconnects as soon as it may, and what it tells. */
  subscribe<C extends Contract>(contract: C, url: Source<string | URL>, options?: SubscriberOptions): Subscribed<C>
  /** What its subscribers have told last. */
  report(): string
  leave(): void
}

interface Subscribed<C extends Contract> {
  readonly stream: Subscriber<C>
  readonly statuses: Collector<Status>
  readonly gaps: Collector<Gap>
  readonly errors: Collector<EventwireError>
  /** Waits until the server has said where the stream begins: what is emitted from then on arrives. */
  ready(): Promise<unknown>
}

function createWorld(base: string): World {
  const subscribed: (Pick<Subscribed<Contract>, 'statuses' | 'errors'> & { stream: { close(): void } })[] = []
  const control = async <T>(action: string, body: unknown = null): Promise<T> => {
    // As plain text it needs no preflight.
    const response = await fetch(`${base}/control/${action}`, { method: 'POST', body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`${action}: ${await response.text()}`)
    return (await response.json()) as T
  }
  return {
    control,
    url: (path, query) => `${base}/${path}${query ? `?${query}` : ''}`,
    emit: (events) => control('emit', events),
    script: (answers) => control('script', answers),
    requests: (count) => control('requests', count),
    open: (count) => control('open', count),
    subscribe(contract, url, options) {
      const stream = createSubscriber(contract, url, { backoff: { base: 1, max: 1 }, ...options })
      const [statuses, gaps, errors] = [collector<Status>(), collector<Gap>(), collector<EventwireError>()]
      stream.onStatus(statuses.take)
      stream.onGap(gaps.take)
      stream.onError(errors.take)
      let opened = 0
      const ready = (): Promise<unknown> => {
        opened++
        return statuses.until((all) => all.filter((status) => status.state === 'open' && status.resumed !== undefined).length >= opened)
      }
      const result = { stream, statuses, gaps, errors, ready }
      subscribed.push(result)
      return result
    },
    report: () => subscribed.map(({ statuses, errors }) => JSON.stringify([...statuses.items.slice(-3), ...errors.items])).join(', '),
    leave() {
      for (const { stream } of subscribed) stream.close()
    },
  }
}

interface Collector<T> {
  readonly items: T[]
  take(this: void, item: T): void
  /** Waits until the items pass the test. */
  until(test: (items: readonly T[]) => boolean): Promise<T[]>
  reach(count: number): Promise<T[]>
}

/** Collects what a handler is called with. */
function collector<T>(): Collector<T> {
  const items: T[] = []
  let wake = Promise.withResolvers<void>()
  const until = async (test: (items: readonly T[]) => boolean): Promise<T[]> => {
    while (!test(items)) await wake.promise
    return items
  }
  return {
    items,
    take(item) {
      items.push(item)
      wake.resolve()
      wake = Promise.withResolvers()
    },
    until,
    reach: (count) => until(({ length }) => length >= count),
  }
}

/** The codes of the failures that were told of while it waited for the next attempt. */
function failures(statuses: readonly Status[]): string[] {
  return statuses.flatMap((status) => (status.state === 'connecting' && status.retryAt && status.error ? [status.error.code] : []))
}

function same(actual: unknown, expected: unknown): void {
  const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)]
  if (is !== should) throw new Error(`It is ${is?.slice(0, 500)}, not ${should?.slice(0, 500)}.`)
}
