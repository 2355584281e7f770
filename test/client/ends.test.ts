import { expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { defineEvents, text } from 'eventwire'
import { createSubscriber, type SubscriberOptions } from 'eventwire/client'
import { serveTcp, STREAM_HEAD } from '../support/serve.ts'

const answer = defineEvents({ token: text(), done: z.object({ total: z.int() }), failed: text() }, { ends: ['done', 'failed'] })

const TOKENS = 'id: 1\nevent: token\ndata: Hel\n\nid: 2\nevent: token\ndata: lo\n\n'
const DONE = 'event: done\ndata: {"total":2}\n\n'

/** Subscribes to what is sent at each attempt, and gives how it came to its end. */
async function read(bodies: readonly string[], options: SubscriberOptions = {}) {
  const { url, attempts } = await serveTcp((socket, attempt) => socket.end(bodies[attempt - 1] ?? 'HTTP/1.1 410 Gone\r\n\r\n'))
  const stream = createSubscriber(answer, url, { backoff: { base: 1, max: 1 }, ...options })
  onTestFinished(() => stream.close())
  const tokens: string[] = []
  const faults: (string | undefined)[] = []
  stream.onStatus((status) => void ('retryAt' in status && faults.push(status.error?.code)))
  stream.on('token', (token) => tokens.push(token))
  const { reason, error } = await stream.closed
  return { reason, code: error?.code, tokens, faults, attempts: attempts.length }
}

test('a terminal event completes the stream, whoever listens to it', async () => {
  expect(await read([STREAM_HEAD + TOKENS + DONE])).toEqual({
    reason: 'ended',
    code: undefined,
    tokens: ['Hel', 'lo'],
    faults: [],
    attempts: 1,
  })
})

test('what follows a terminal event is not read', async () => {
  const { tokens } = await read([`${STREAM_HEAD}${TOKENS}${DONE}event: token\ndata: late\n\n`])
  expect(tokens).toEqual(['Hel', 'lo'])
})

test('an end without a terminal event is an interruption, and the stream goes on until it is complete', async () => {
  expect(await read([STREAM_HEAD + TOKENS, `${STREAM_HEAD}id: 3\nevent: token\ndata: !\n\n${DONE}`])).toEqual({
    reason: 'ended',
    code: undefined,
    tokens: ['Hel', 'lo', '!'],
    faults: ['interrupted'],
    attempts: 2,
  })
})

test.each([
  ['$end', `${STREAM_HEAD}${TOKENS}event: $end\ndata: {"reason":"done"}\n\n`],
  ['204', 'HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n'],
])('%s before a terminal event is no completion: nothing more will come, and that is a fault', async (_, body) => {
  expect(await read([body])).toMatchObject({ reason: 'fatal', code: 'interrupted', attempts: 1 })
})

test('a loop over a stream that was interrupted for good throws, and does not look complete', async () => {
  const { url } = await serveTcp((socket) => socket.end(`${STREAM_HEAD}${TOKENS}event: $end\ndata: {}\n\n`))
  const stream = createSubscriber(answer, url)
  const tokens: string[] = []
  const loop = (async () => {
    for await (const { data } of stream.events('token')) tokens.push(data)
  })()
  await expect(loop).rejects.toMatchObject({ code: 'interrupted' })
  expect(tokens).toEqual(['Hel', 'lo'])
})

test('a terminal event cut in its midst completes nothing', async () => {
  expect(await read([STREAM_HEAD + TOKENS + DONE.slice(0, -1), STREAM_HEAD + DONE])).toMatchObject({
    reason: 'ended',
    faults: ['interrupted'],
  })
})
