import { describe, expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { defineEvents, text, type Contract } from 'eventwire'
import { createSubscriber, type Closed, type Subscriber } from 'eventwire/client'
import { createEmitter, streamEvents } from 'eventwire/server'
import { listen } from '../../support/listen.ts'
import { serve, serveTcp, STREAM_HEAD } from '../../support/serve.ts'

const chat = defineEvents(
  { message: text(), usage: z.object({ tokens: z.int() }) },
  {
    ends: [
      { event: 'message', data: '[DONE]' },
      { event: 'usage', data: '{"tokens":0}' },
    ],
  },
)

/** A stream of one request, of a server of ours. */
async function serveAnswer(...lines: readonly string[]): Promise<string> {
  const answers = streamEvents(chat, async function* () {
    for (const data of lines) yield { event: 'message', data }
    // The server leaves the end to the client.
    await new Promise<never>(() => {})
  })
  const { url } = await serve((request, response) => answers.handleNode(request, response))
  onTestFinished(() => answers.close())
  return url
}

/** As much of a subscriber as both kinds have in common. */
type Heard = AsyncIterable<{ readonly data: unknown }> & Pick<Subscriber<Contract>, 'close' | 'closed' | 'onError'>

const SUBSCRIBERS: readonly (readonly [who: string, subscribe: (url: string) => Heard])[] = [
  ['with the contract', (url) => createSubscriber(chat, url)],
  ['with its types alone', (url) => createSubscriber<typeof chat>(url)],
]

/** What a subscriber hears until it is closed for good. */
async function hear(stream: Heard): Promise<{ heard: unknown[]; codes: string[]; closed: Closed }> {
  onTestFinished(() => stream.close())
  const heard: unknown[] = []
  const codes: string[] = []
  stream.onError(({ code }) => codes.push(code))
  try {
    for await (const { data } of stream) heard.push(data)
  } catch {
    // `closed` has it too.
  }
  return { heard, codes, closed: await stream.closed }
}

test('a server of ours tells of the marks in $ready', async () => {
  const listening = await listen(await serveAnswer('a'))
  await listening.until(({ events }) => events.length > 0)
  expect(listening.ready.ends).toEqual(chat.ends)
  listening.leave()
})

describe.each(SUBSCRIBERS)('a subscriber %s', (_, subscribe) => {
  test('obeys the mark of a stream of one request', async () => {
    expect(await hear(subscribe(await serveAnswer('a', 'b', '[DONE]', 'c')))).toEqual({
      heard: ['a', 'b'],
      codes: [],
      closed: { reason: 'ended' },
    })
  })

  test('obeys the mark of an emitter, also when its data is JSON', async () => {
    const emitter = createEmitter(chat, { onConnect: () => void say() })
    const { url } = await serve((request, response) => emitter.handleNode(request, response))
    onTestFinished(() => emitter.close())
    const say = async (): Promise<void> => {
      await emitter.emit('message', 'a')
      await emitter.emit('usage', { tokens: 7 })
      await emitter.emit('usage', { tokens: 0 })
      await emitter.emit('message', 'after')
    }
    const { heard, closed } = await hear(subscribe(url))
    expect([heard, closed]).toEqual([['a', { tokens: 7 }], { reason: 'ended' }])
  })

  test('takes $end before the mark for an interruption', async () => {
    const ready = { epoch: '', resumed: false, replayed: 0, heartbeat: 0, text: chat.text, ends: chat.ends }
    const { url } = await serveTcp((socket) =>
      socket.end(`${STREAM_HEAD}event: $ready\ndata: ${JSON.stringify(ready)}\n\ndata: a\n\nevent: $end\ndata: {"reason":"done"}\n\n`),
    )
    const { heard, codes, closed } = await hear(subscribe(url))
    expect([heard, codes]).toEqual([['a'], ['interrupted']])
    expect(closed).toMatchObject({ reason: 'fatal', error: { code: 'interrupted' } })
  })
})

test('marks that make no sense in $ready are none', async () => {
  const ends = [null, 7, {}, { event: 'message' }, { data: 'a' }, { event: 'message', data: { a: 1 } }, [['message']], 'done']
  const ready = { epoch: '', resumed: false, replayed: 0, heartbeat: 0, text: ['message', 'done'], ends }
  const { url } = await serveTcp((socket) =>
    socket.write(`${STREAM_HEAD}event: $ready\ndata: ${JSON.stringify(ready)}\n\ndata: a\n\ndata: {"a":1}\n\nevent: done\ndata: x\n\n`),
  )
  expect(await hear(createSubscriber<typeof chat>(url))).toEqual({
    heard: ['a', '{"a":1}', 'x'],
    codes: [],
    closed: { reason: 'ended' },
  })
})
