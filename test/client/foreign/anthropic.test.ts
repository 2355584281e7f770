import { expect, test } from 'vitest'
import * as z from 'zod'
import { defineEvents } from 'eventwire'
import { ask, messages, MODELS, read, TOKENS } from './models.ts'
import { play, recording, serveForeign } from './support.ts'

const anthropic = MODELS.find(({ name }) => name === 'anthropic')!
const OVERLOADED = '{"type":"error","error":{"type":"overloaded_error","message":"Too many ask at once."}}'

/** A server that answers with a recording, and ends it. */
async function answering(name: string): Promise<{ url: string; asked: readonly unknown[] }> {
  return serveForeign((response) => (play(response, recording(name)), response.end()))
}

test('events that the contract does not name pass by, pings among them', async () => {
  const { url } = await answering('anthropic')
  const { stream, errors } = ask(messages, url)
  const names = new Set<string>()
  for await (const { event } of stream) names.add(event)
  expect([...names]).toEqual(['message_start', 'content_block_delta', 'message_delta', 'message_stop'])
  expect(errors).toEqual([])
})

test('pings are heard where the contract names them', async () => {
  const { url } = await answering('anthropic')
  const { stream } = ask(defineEvents({ ping: z.object({}), message_stop: z.object({}) }, { ends: ['message_stop'] }), url)
  let pings = 0
  stream.on('ping', () => pings++)
  await stream.closed
  expect(pings).toBe(2)
})

test('an error event within an answer is reported with what it says; the answer is interrupted, and not asked for again', async () => {
  const { url, asked } = await answering('anthropic-overloaded')
  const asking = anthropic.ask(url)
  const heard: string[] = []
  await expect(read(asking, heard)).rejects.toMatchObject({ code: 'interrupted' })
  expect(heard).toEqual(TOKENS.slice(0, 3))
  expect(asking.errors).toMatchObject([{ code: 'server-error', event: 'error', body: OVERLOADED }, { code: 'interrupted' }])
  expect(asking.errors[0]!.message).toBe(`The server says: ${OVERLOADED}`)
  expect(await asking.stream.closed).toMatchObject({ reason: 'fatal', error: { code: 'interrupted' } })
  expect(asked).toHaveLength(1)
})

test('an error event does not stop what comes behind it', async () => {
  const { url } = await serveForeign((response) => {
    play(response, `event: error\ndata: ${OVERLOADED}\n\n${recording('anthropic')}`)
    response.end()
  })
  const asking = anthropic.ask(url)
  const heard: string[] = []
  await read(asking, heard)
  expect(heard).toEqual(TOKENS)
  expect(asking.errors).toMatchObject([{ code: 'server-error' }])
  expect(await asking.stream.closed).toEqual({ reason: 'ended' })
})

test('an answer that an error event cut is asked for again when it is idempotent', async () => {
  const { url, asked } = await serveForeign((response, _, attempt) => {
    play(response, recording(attempt === 1 ? 'anthropic-overloaded' : 'anthropic'))
    response.end()
  })
  const asking = anthropic.ask(url, { idempotent: true })
  const heard: string[] = []
  await read(asking, heard)
  expect(heard).toEqual(TOKENS)
  expect(asking.errors).toMatchObject([{ code: 'server-error', body: OVERLOADED }])
  expect(asked).toHaveLength(2)
})

test('the input of a tool comes in pieces of JSON, block by block', async () => {
  const { url } = await answering('anthropic-tool')
  const { stream } = ask(messages, url)
  const blocks: string[] = []
  let reason: string | null = null
  stream.on('message_delta', ({ delta }) => void (reason = delta.stop_reason))
  for await (const { data } of stream.events('content_block_delta')) {
    const { index, delta } = data
    blocks[index] = (blocks[index] ?? '') + (delta.type === 'text_delta' ? delta.text : delta.partial_json)
  }
  expect(blocks[0]).toBe('Let me look.')
  expect(JSON.parse(blocks[1]!)).toEqual({ harbour: 'Bréhat', days: [1, 2] })
  expect(reason).toBe('tool_use')
})
