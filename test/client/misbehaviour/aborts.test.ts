import { getEventListeners } from 'node:events'
import type { Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { SubscriberOptions } from 'eventwire/client'
import { response, serveTcp, STREAM_HEAD } from '../../support/serve.ts'
import { subscribe, type Subscribed } from '../../support/subscribe.ts'
import { countTimers } from './support.ts'

const EVENT = 'id: 1\ndata: one\n\n'
const GAP = 'event: $gap\ndata: {"reason":"overflow","requested":"1","oldest":"9"}\n\n'

type Abort = () => void

interface Moment {
  /** What the server does with each request. */
  readonly script: (socket: Socket, attempt: number, abort: Abort) => void
  readonly options?: (abort: Abort) => SubscriberOptions
  /** Makes the subscriber connect, and arranges for the abort. */
  readonly act?: (subscribed: Subscribed, abort: Abort) => void
}

const silent = (): void => {}
const open = (socket: Socket): void => void socket.write(STREAM_HEAD)
const send =
  (text: string) =>
  (socket: Socket): void =>
    void socket.write(STREAM_HEAD + text)
/** Aborts, and never settles: what it was asked for is not needed any more. */
const forever = (abort: Abort): Promise<never> => {
  abort()
  return new Promise(() => {})
}
const later = async (abort: Abort): Promise<void> => {
  await new Promise(setImmediate)
  abort()
}
const listening = ({ stream }: Subscribed): void => void stream.on('message', () => {})

const MOMENTS: readonly (readonly [when: string, moment: Moment])[] = [
  ['before anybody listens', { script: silent, act: (_, abort) => abort() }],
  ['as soon as it is asked to connect', { script: silent, act: (it, abort) => (listening(it), abort()) }],
  ['a microtask after it began to connect', { script: silent, act: (it, abort) => (listening(it), queueMicrotask(abort)) }],
  ['a turn after it began to connect', { script: silent, act: (it, abort) => (listening(it), void setImmediate(abort)) }],
  ['when the request has come, before any answer', { script: (_, __, abort) => abort() }],
  [
    'within the head of the response',
    { script: (socket, _, abort) => void socket.write('HTTP/1.1 200 OK\r\ncontent-ty', () => void later(abort)) },
  ],
  [
    'within the body of a refusal',
    { script: (socket, _, abort) => void socket.write('HTTP/1.1 404 No\r\ncontent-length: 99\r\n\r\nNo', () => void later(abort)) },
  ],
  ['behind the head of the stream', { script: (socket, _, abort) => void socket.write(STREAM_HEAD, () => void later(abort)) }],
  ['within an event', { script: (socket, _, abort) => void socket.write(`${STREAM_HEAD}id: 1\ndata: on`, () => void later(abort)) }],
  [
    'while it waits for another attempt',
    {
      script: (socket) => void socket.end(response('503 No', '', 'retry-after: 1000\r\n')),
      act: (it, abort) => {
        void it.status((status) => status.state === 'connecting' && status.retryAt !== undefined).then(abort)
        listening(it)
      },
    },
  ],
  ['in a handler', { script: send(EVENT + EVENT), act: ({ stream }, abort) => void stream.on('message', abort) }],
  [
    'in an asynchronous handler',
    { script: send(EVENT + EVENT), act: ({ stream }, abort) => void stream.on('message', () => later(abort)) },
  ],
  [
    'in a handler that never settles',
    { script: send(EVENT + EVENT), act: ({ stream }, abort) => void stream.on('message', () => forever(abort)) },
  ],
  [
    'in a handler that throws then',
    {
      script: send(EVENT + EVENT),
      act: ({ stream }, abort) =>
        void stream.on('message', () => {
          abort()
          throw new Error('after the abort')
        }),
    },
  ],
  [
    'in a handler that rejects later',
    {
      script: send(EVENT + EVENT),
      act: ({ stream }, abort) =>
        void stream.on('message', async () => {
          abort()
          await new Promise(setImmediate)
          throw new Error('long after the abort')
        }),
    },
  ],
  ['in once', { script: send(EVENT), act: ({ stream }, abort) => void stream.once('message', abort) }],
  [
    'in the body of a loop',
    {
      script: send(EVENT),
      act: ({ stream }, abort) =>
        void (async () => {
          for await (const _ of stream) abort()
        })(),
    },
  ],
  [
    'in onStatus, when it connects',
    {
      script: open,
      act: (it, abort) => {
        it.stream.onStatus(({ state }) => state === 'connecting' && abort())
        listening(it)
      },
    },
  ],
  [
    'in onStatus, when it opens',
    {
      script: open,
      act: (it, abort) => {
        it.stream.onStatus(({ state }) => state === 'open' && abort())
        listening(it)
      },
    },
  ],
  [
    'in onStatus, when it has failed',
    {
      script: (socket) => void socket.end(response('503 No', '', 'retry-after: 1000\r\n')),
      act: (it, abort) => {
        it.stream.onStatus((status) => status.state === 'connecting' && status.retryAt && abort())
        listening(it)
      },
    },
  ],
  ['in onGap', { script: send(GAP + EVENT), act: (it, abort) => (it.stream.onGap(abort), listening(it)) }],
  [
    'in onError',
    {
      script: send(`event: price\ndata: no json\n\n${EVENT}`),
      act: ({ stream }, abort) => (stream.onError(abort), void stream.on('price', () => {})),
    },
  ],

  ['in the headers function', { script: silent, options: (abort) => ({ headers: () => (abort(), {}) }) }],
  ['in an asynchronous headers function', { script: silent, options: (abort) => ({ headers: () => later(abort).then(() => ({})) }) }],
  ['in a headers function that never settles', { script: silent, options: (abort) => ({ headers: () => forever(abort) }) }],
  [
    'in a headers function that rejects then',
    { script: silent, options: (abort) => ({ headers: () => later(abort).then(() => Promise.reject(new Error('after the abort'))) }) },
  ],
  [
    'in an asynchronous body function',
    { script: silent, options: (abort) => ({ method: 'POST', body: () => later(abort).then(() => 'x') }) },
  ],
  ['in a body function that never settles', { script: silent, options: (abort) => ({ method: 'POST', body: () => forever(abort) }) }],
  [
    'in onUnauthorized',
    { script: (socket) => void socket.end(response('401 No')), options: (abort) => ({ onUnauthorized: () => later(abort) }) },
  ],
  [
    'in an onUnauthorized that never settles',
    { script: (socket) => void socket.end(response('401 No')), options: (abort) => ({ onUnauthorized: () => forever(abort) }) },
  ],
  [
    'in an onUnauthorized that rejects then',
    {
      script: (socket) => void socket.end(response('401 No')),
      options: (abort) => ({ onUnauthorized: () => later(abort).then(() => Promise.reject(new Error('after the abort'))) }),
    },
  ],
  [
    'in shouldRetry',
    { script: (socket) => void socket.end(response('503 No')), options: (abort) => ({ shouldRetry: () => later(abort).then(() => true) }) },
  ],
  [
    'in a shouldRetry that never settles',
    { script: (socket) => void socket.end(response('503 No')), options: (abort) => ({ shouldRetry: () => forever(abort) }) },
  ],
  ['in cursor.load', { script: silent, options: (abort) => ({ cursor: { load: () => later(abort).then(() => '7'), save: () => {} } }) }],
  [
    'in a cursor.load that never settles',
    { script: silent, options: (abort) => ({ cursor: { load: () => forever(abort), save: () => {} } }) },
  ],
  ['in cursor.save', { script: send(EVENT), options: (abort) => ({ cursor: { load: () => null, save: () => later(abort) } }) }],
  [
    'in a cursor.save that never settles',
    { script: send(EVENT), options: (abort) => ({ cursor: { load: () => null, save: () => forever(abort) } }) },
  ],
  ['by an attempt that its own abort interrupts', { script: (_, __, abort) => (abort(), abort()) }],
]

test.each(MOMENTS.flatMap(([when, moment]) => (['close()', 'the signal'] as const).map((how) => [how, when, moment] as const)))(
  '%s %s: the stream is aborted, and nothing is left of it',
  async (how, _, { script, options, act = listening }) => {
    const unhandled: unknown[] = []
    const note = (reason: unknown): void => void unhandled.push(reason)
    process.on('unhandledRejection', note)
    onTestFinished(() => void process.off('unhandledRejection', note))
    const controller = new AbortController()
    let subscribed: Subscribed | undefined
    const abort = (): void => (how === 'close()' ? subscribed!.stream.close() : controller.abort())
    const gone: Promise<unknown>[] = []
    const { url, attempts } = await serveTcp((socket, attempt) => {
      gone.push(new Promise((resolve) => socket.on('close', resolve)))
      script(socket, attempt, abort)
    })

    const timers = countTimers()
    subscribed = subscribe(url, { ...options?.(abort), signal: controller.signal })
    act(subscribed, abort)
    const { stream, statuses } = subscribed

    expect(await stream.closed).toEqual({ reason: 'aborted' })
    expect(stream.status).toEqual({ state: 'closed', reason: 'aborted' })
    // What is on its way at the moment of the abort comes to its end, and stays without consequence.
    for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
    expect(statuses.filter(({ state }) => state === 'closed')).toHaveLength(1)
    expect(statuses.at(-1)).toEqual({ state: 'closed', reason: 'aborted' })
    expect(timers()).toBe(0)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    await Promise.all(gone)
    expect(attempts.length).toBeLessThanOrEqual(1)
    expect(unhandled).toEqual([])
  },
)

test('what comes in the bytes behind an event whose handler closed the stream is neither handled nor committed', async () => {
  const { url } = await serveTcp(send('id: 1\ndata: one\n\nid: 2\ndata: two\n\nid: 3\n\n'))
  const { stream } = subscribe(url)
  const heard: string[] = []
  stream.on('message', (text) => {
    heard.push(text)
    stream.close()
  })
  await stream.closed
  for (let turn = 0; turn < 10; turn++) await new Promise(setImmediate)
  expect(heard).toEqual(['one'])
  expect(['', '1']).toContain(stream.lastEventId)
})

test('a signal that aborts with a reason of its own closes like any other', async () => {
  const { url } = await serveTcp(open)
  const { stream, status } = subscribe(url, { signal: AbortSignal.timeout(50) })
  const opened = status(({ state }) => state === 'open')
  stream.on('message', () => {})
  await opened
  expect(await stream.closed).toEqual({ reason: 'aborted' })
})

test('a fatal end, a good end and an abort race: the first wins, and is told once', async () => {
  for (const answer of [response('404 No'), response('204 No'), `${STREAM_HEAD}event: $end\ndata: {}\n\n`]) {
    const { url } = await serveTcp((socket) => void socket.end(answer))
    const { stream, statuses, errors } = subscribe(url)
    stream.onStatus(({ state }) => state === 'closed' && stream.close())
    stream.on('message', () => {})
    const { reason } = await stream.closed
    stream.close()
    expect(statuses.filter(({ state }) => state === 'closed')).toEqual([stream.status])
    expect([(await stream.closed).reason, errors.length]).toEqual([reason, reason === 'fatal' ? 1 : 0])
  }
})
