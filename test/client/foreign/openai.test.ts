import { expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { defineEvents, text } from 'eventwire'
import { createSubscriber, type Trace } from 'eventwire/client'
import { ask, chat, responses, TOKENS } from './models.ts'
import { blocksOf, play, recording, serveForeign } from './support.ts'

const DONE = 'data: [DONE]\n\n'

/** A server that answers with a stream, and ends it. */
async function answering(stream: string): Promise<string> {
  const { url } = await serveForeign((response) => (play(response, stream), response.end()))
  return url
}

/** What a loop heard, and what it threw in the end. */
async function hear<T>(events: AsyncIterable<T>): Promise<{ heard: T[]; thrown: unknown }> {
  const heard: T[] = []
  try {
    for await (const event of events) heard.push(event)
    return { heard, thrown: undefined }
  } catch (thrown) {
    return { heard, thrown }
  }
}

test('the mark is told to nobody who consumes events, whichever way, and is not read as one', async () => {
  const url = await answering(recording('openai-chat'))
  const events = blocksOf(recording('openai-chat')).length - 1
  const traces: Trace[] = []
  const { stream, errors } = ask(chat, url, { onTrace: (trace) => traces.push(trace) })
  let handled = 0
  stream.on('message', (data) => {
    expect(data).toHaveProperty('choices')
    handled++
  })
  const [all, named, pieces] = await Promise.all([hear(stream), hear(stream.events('message')), hear(stream.toReadableStream())])
  expect([handled, all.heard.length, named.heard.length, pieces.heard.length]).toEqual([events, events, events, events])
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(errors).toEqual([])
  expect(traces).toContainEqual(expect.objectContaining({ type: 'message', message: { event: 'message', data: '[DONE]', id: '' } }))
})

test('nothing is heard behind the mark, and an answer of nothing but the mark is complete', async () => {
  const [first = ''] = blocksOf(recording('openai-chat'))
  const behind = ask(chat, await answering(first + DONE + first))
  expect((await hear(behind.stream)).heard).toHaveLength(1)
  const empty = ask(chat, await answering(DONE))
  expect(await hear(empty.stream)).toEqual({ heard: [], thrown: undefined })
  expect(await empty.stream.closed).toEqual({ reason: 'ended' })
})

test('the mark waits for handlers that are still busy with what came before it', async () => {
  const { stream } = ask(chat, await answering(recording('openai-chat')))
  const done: string[] = []
  stream.on('message', async (data) => {
    await new Promise(setImmediate)
    if ('choices' in data) done.push(data.choices[0]?.delta.content ?? '')
  })
  await stream.closed
  expect(done.join('')).toBe(TOKENS.join(''))
})

test('a mark is that text alone, of that event alone', async () => {
  const lines = defineEvents({ message: text(), line: text() }, { ends: [{ event: 'message', data: '[DONE]' }] })
  const near = [
    'data: [done]',
    'data: [DONE].',
    'data:  [DONE]',
    'data: [DONE]\ndata:',
    'event: line\ndata: [DONE]',
    'event: lines\ndata: [DONE]',
  ]
  const { stream } = ask(lines, await answering(`${near.join('\n\n')}\n\n${DONE}`))
  const { heard } = await hear(stream)
  expect(heard.map(({ data }) => data)).toEqual(['[done]', '[DONE].', ' [DONE]', '[DONE]\n', '[DONE]'])
  expect(await stream.closed).toEqual({ reason: 'ended' })
})

test('without the mark in the contract, it is an event like any other: no JSON, and no end', async () => {
  const { ends, schemas } = chat
  expect(ends).toHaveLength(1)
  const { stream, errors } = ask(defineEvents(schemas), await answering(recording('openai-chat')))
  const { thrown } = await hear(stream)
  expect(errors.map(({ code }) => code)).toEqual(['invalid-payload', 'interrupted'])
  expect(thrown).toMatchObject({ code: 'interrupted' })
})

test('with the types alone, the mark is unknown: a foreign server does not tell of it', async () => {
  const stream = createSubscriber<typeof chat>(await answering(recording('openai-chat')), { body: '{}' })
  onTestFinished(() => stream.close())
  const codes: string[] = []
  stream.onError(({ code }) => codes.push(code))
  const { heard } = await hear(stream)
  expect(heard.length).toBeGreaterThan(TOKENS.length)
  expect(codes).toEqual(['invalid-payload', 'interrupted'])
})

test('an error within an answer is an event of the contract', async () => {
  const { stream } = ask(chat, await answering(recording('openai-chat-error')))
  const { heard, thrown } = await hear(stream.events('message'))
  const { data } = heard.at(-1)!
  expect('error' in data && data.error.message).toBe('The sea is closed today.')
  expect(heard).toHaveLength(4)
  expect(thrown).toMatchObject({ code: 'interrupted' })
})

test('an answer that the server gives up is complete, and its last event says why', async () => {
  const { stream, errors } = ask(responses, await answering(recording('openai-responses-failed')))
  const { heard } = await hear(stream)
  expect(heard.map(({ event }) => event)).toEqual([
    'response.created',
    'response.output_text.delta',
    'response.output_text.delta',
    'response.failed',
  ])
  expect(heard.at(-1)).toMatchObject({ data: { response: { error: { message: 'The sea is closed today.' } } } })
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(errors).toEqual([])
})

test('a token that does not fit is reported and left out, and the answer goes on', async () => {
  const strict = defineEvents({ message: z.object({ token: z.string() }) }, { ends: [{ event: 'message', data: '[DONE]' }] })
  const { stream, errors } = ask(strict, await answering(`data: {"token":"a"}\n\ndata: {"token":1}\n\ndata: {"token":"b"}\n\n${DONE}`))
  const { heard } = await hear(stream.events('message'))
  expect(heard.map(({ data }) => data.token)).toEqual(['a', 'b'])
  expect(errors).toMatchObject([{ code: 'invalid-payload', event: 'message' }])
  expect(await stream.closed).toEqual({ reason: 'ended' })
})
