import { expect, onTestFinished, test } from 'vitest'
import { createSubscriber } from 'eventwire/client'
import { serveTcp, STREAM_HEAD } from '../../support/serve.ts'
import { subscribe } from '../../support/subscribe.ts'
import { END } from './support.ts'

const control = (name: string, data: string): string => `event: ${name}\ndata: ${data}\n\n`
const EVENT = 'id: 1\ndata: one\n\n'

async function serveOnce(sent: string): Promise<string> {
  const { url } = await serveTcp((socket) => void socket.write(STREAM_HEAD + sent))
  return url
}

test.each([
  ['{}'],
  ['[]'],
  ['5'],
  ['"text"'],
  ['{"epoch":5,"resumed":"yes","replayed":"many","heartbeat":"often","text":"message","ends":"message"}'],
  ['{"heartbeat":-1,"replayed":-1,"text":{"length":1},"ends":{"0":"message","length":1}}'],
  ['{"heartbeat":1e308,"text":[null,5,{},["message"]],"ends":[null,5,{},["message"],{"event":null}]}'],
  ['{"__proto__":{"resumed":true},"constructor":null}'],
])('a $ready that says odd things opens the stream like any other: %s', async (data) => {
  const url = await serveOnce(control('$ready', data) + EVENT + END)
  const { stream, errors, statuses } = subscribe(url)
  const heard: string[] = []
  stream.on('message', (text) => void heard.push(text))
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect([heard, errors]).toEqual([['one'], []])
  expect(statuses.findLast(({ state }) => state === 'open')).toMatchObject({ resumed: false, replayed: expect.any(Number) as number })
})

test.each([
  ['{}', { reason: '', requested: '', oldest: '' }],
  ['[]', { reason: '', requested: '', oldest: '' }],
  ['{"reason":5,"requested":null,"oldest":{}}', { reason: '', requested: '', oldest: '' }],
  ['{"reason":"a later one","requested":"1","oldest":"9","more":true}', { reason: 'a later one', requested: '1', oldest: '9' }],
])('a $gap that says odd things is a gap all the same: %s', async (data, gap) => {
  const url = await serveOnce(control('$gap', data) + EVENT + END)
  const { stream, gaps, errors } = subscribe(url)
  stream.on('message', () => {})
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect([gaps, errors]).toEqual([[gap], []])
})

test.each(['', 'null', '[]', '{"reason":"a later one"}', '"closed"', '{'])('a $end ends for good, whatever it says: %j', async (data) => {
  const { url, attempts } = await serveTcp(
    (socket) => void socket.write(STREAM_HEAD + EVENT + control('$end', data) + 'id: 2\ndata: two\n\n'),
  )
  const { stream, errors } = subscribe(url)
  const heard: string[] = []
  stream.on('message', (text) => void heard.push(text))
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect([heard, errors, attempts.length, stream.lastEventId]).toEqual([['one'], [], 1, '1'])
})

test('control messages may come again, in any order and in between, and a later one counts', async () => {
  const ready = (replayed: number): string => control('$ready', `{"resumed":true,"replayed":${replayed}}`)
  const url = await serveOnce(EVENT + ready(1) + control('$later', '{}') + 'id: 2\ndata: two\n\n' + ready(2) + END)
  const { stream, statuses, errors } = subscribe(url)
  const heard: string[] = []
  stream.on('message', (text) => void heard.push(text))
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect([heard, errors]).toEqual([['one', 'two'], []])
  expect(statuses.filter(({ state }) => state === 'open')).toEqual([
    { state: 'open' },
    { state: 'open', resumed: true, replayed: 1 },
    { state: 'open', resumed: true, replayed: 2 },
  ])
})

test('a subscriber that holds the types alone trusts what $ready declares, and no more than it can read', async () => {
  const declared = control('$ready', '{"text":["message",7],"ends":["done",{"event":"message","data":"[DONE]"},{"event":"message"}]}')
  const url = await serveOnce(
    `${declared}data: not json\n\nevent: price\ndata: not json\n\nevent: price\ndata: {"usd":1}\n\ndata: [DONE]\n\ndata: never\n\n`,
  )
  const stream = createSubscriber(url)
  onTestFinished(() => stream.close())
  const told: unknown[] = []
  stream.onError(({ code, event }) => void told.push([code, event]))
  for (const name of ['message', 'price']) stream.on(name, (data) => void told.push(data))
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(told).toEqual(['not json', ['invalid-payload', 'price'], { usd: 1 }])
})

test('an event named error is told as what the server has to say, and the stream goes on', async () => {
  const url = await serveOnce(`id: 1\nevent: error\ndata: {"message":\ndata: "overloaded"}\n\nid: 2\ndata: two\n\n${END}`)
  const { stream, errors } = subscribe(url)
  const heard: string[] = []
  stream.on('message', (text) => void heard.push(text))
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(heard).toEqual(['two'])
  expect(errors).toMatchObject([{ code: 'server-error', id: '1', body: '{"message":\n"overloaded"}' }])
})

test.each(['constructor', '__proto__', 'toString', 'hasOwnProperty', 'Message', 'message ', '\u0001', 'a'.repeat(10_000)])(
  'an event of a name that the contract does not have is passed over, and moves the cursor: %j',
  async (name) => {
    const url = await serveOnce(`id: 1\nevent: ${name}\ndata: {}\n\n${END}`)
    const { stream, errors } = subscribe(url)
    const heard: string[] = []
    stream.on('message', (text) => void heard.push(text))
    expect(await stream.closed).toEqual({ reason: 'ended' })
    expect([heard, errors, stream.lastEventId]).toEqual([[], [], '1'])
  },
)
