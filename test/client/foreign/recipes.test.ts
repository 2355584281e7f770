import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Subscriber } from 'eventwire/client'
import type { Contract } from 'eventwire'
import { collector } from '../../support/subscribe.ts'
import { TOKENS } from './models.ts'
import { blocksOf, play, recipe, recording, refuse, serveForeign } from './support.ts'

const CHAT = 'https://api.example.com/v1/chat/completions'
const MESSAGES = 'https://api.example.com/v1/messages'
const CHANGES = 'https://stream.wikimedia.org/v2/stream/recentchange'
const TIMELINE = 'https://social.example.com/api/v1/streaming/user'

interface Chat {
  ask(prompt: string, signal?: AbortSignal): AsyncGenerator<string>
}

interface Messages {
  ask(prompt: string, show: (token: string) => void): Promise<void>
}

interface Changes {
  follow(file: string, signal: AbortSignal, handle: (title: string) => Promise<void>): Promise<void>
}

interface Timeline {
  open(token: string, reload: () => void): Subscriber<Contract>
}

/** Keeps what subscribers say on the console, for who did not listen, off it. Gives what it was. */
function quiet(): readonly unknown[] {
  const reported: unknown[] = []
  const spy = vi.spyOn(console, 'error').mockImplementation((error) => reported.push(error))
  onTestFinished(() => spy.mockRestore())
  return reported
}

test('chat.ts gives the tokens of an answer, and comes to its end', async () => {
  const { url, asked } = await serveForeign((response) => (play(response, recording('openai-chat')), response.end()))
  const { ask } = await recipe<Chat>('chat.ts', { [CHAT]: url })
  let answer = ''
  for await (const token of ask('When?')) answer += token
  expect(answer).toBe(TOKENS.join(''))
  expect(JSON.parse(asked[0]!.body)).toMatchObject({ stream: true, messages: [{ role: 'user', content: 'When?' }] })
})

test.each([
  ['openai-chat-error', 'The sea is closed today.'],
  ['anthropic', 'ended before it was complete'],
])('chat.ts throws when the answer fails: %s', async (name, message) => {
  quiet()
  const { url } = await serveForeign((response) => (play(response, recording(name)), response.end()))
  const { ask } = await recipe<Chat>('chat.ts', { [CHAT]: url })
  const reading = (async () => {
    for await (const token of ask('When?')) expect(TOKENS).toContain(token || 'The')
  })()
  await expect(reading).rejects.toThrow(message)
})

test('chat.ts has the server stop when its reader leaves, and when its signal aborts', async () => {
  const { url, asked } = await serveForeign((response) => play(response, blocksOf(recording('openai-chat')).slice(0, 4).join('')))
  const { ask } = await recipe<Chat>('chat.ts', { [CHAT]: url })
  for await (const token of ask('When?')) if (token === ' tide') break
  await asked[0]!.over
  const controller = new AbortController()
  let answer = ''
  for await (const token of ask('When?', controller.signal)) {
    answer += token
    if (answer === 'The tide') controller.abort()
  }
  await asked[1]!.over
  expect(asked).toHaveLength(2)
})

test('messages.ts shows the tokens of an answer, and throws what the server says in its midst', async () => {
  quiet()
  const { url } = await serveForeign((response, _, attempt) => {
    play(response, recording(attempt === 1 ? 'anthropic' : 'anthropic-overloaded'))
    response.end()
  })
  const { ask } = await recipe<Messages>('messages.ts', { [MESSAGES]: url })
  const shown: string[] = []
  await ask('When?', (token) => shown.push(token))
  expect(shown).toEqual(TOKENS)
  await expect(ask('When?', () => {})).rejects.toThrow('Too many ask at once.')
})

test('changes.ts follows over cuts and restarts, behind what was handled, and leaves out what is no change', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'eventwire-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const file = join(folder, 'cursor')
  const blocks = blocksOf(recording('wikimedia'))
  const cursors = blocks.map((block) => /^id: (.*)$/m.exec(block)?.[1])
  const { url, asked } = await serveForeign((response, { headers }) => {
    const next = blocks.slice(cursors.indexOf(headers['last-event-id'] as string | undefined) + 1)
    // Each connection brings three blocks and is cut.
    play(response, `:ok\n\n${next.slice(0, 3).join('')}`)
    if (next.length > 3) response.end()
  })
  const { follow } = await recipe<Changes>('changes.ts', { [CHANGES]: url })
  const first = new AbortController()
  const titles: string[] = []
  await follow(file, first.signal, async (title) => {
    titles.push(title)
    if (title === 'Flut') first.abort()
  })
  await expect.poll(() => readFile(file, 'utf8')).toBe(cursors[2])

  const second = new AbortController()
  await follow(file, second.signal, async (title) => {
    titles.push(title)
    if (title === '潮汐') second.abort()
  })
  expect(titles).toEqual(['Ebbe', 'Flut', 'Gezeitentümpel', '潮汐'])
  expect(asked.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, cursors[2], cursors[5]])
  expect(asked[0]!.headers['user-agent']).toBe('my-bot (me@example.com)')
})

test('timeline.ts fetches the state of things whenever the stream opens', async () => {
  const heard = collector<unknown>()
  const { url, asked } = await serveForeign(async (response) => {
    play(response, recording('mastodon'))
    await heard.reach(3 * asked.length)
    response.end()
  })
  const { open } = await recipe<Timeline>('timeline.ts', { [TIMELINE]: url })
  let reloads = 0
  const stream = open('token-1', () => reloads++)
  onTestFinished(() => stream.close())
  for await (const { event, data } of stream) {
    heard.take([event, data])
    if (heard.items.length === 6) stream.close()
  }
  expect(heard.items.slice(3)).toEqual([
    ['update', { id: '115240000000000001', content: '<p>low water</p>' }],
    ['status.update', { id: '115240000000000001', content: '<p>low water, late</p>' }],
    ['delete', '115240000000000001'],
  ])
  expect(reloads).toBe(2)
  expect(asked.map(({ headers }) => [headers.authorization, headers['last-event-id']])).toEqual([
    ['Bearer token-1', undefined],
    ['Bearer token-1', undefined],
  ])
})

test('timeline.ts is closed by a token that is refused', async () => {
  const reported = quiet()
  const { url, asked } = await serveForeign((response) => refuse(response, 401, { error: 'This token opens nothing.' }))
  const { open } = await recipe<Timeline>('timeline.ts', { [TIMELINE]: url })
  const stream = open('token-1', () => {})
  stream.on('update', () => {})
  expect((await stream.closed).error).toMatchObject({ status: 401, body: '{"error":"This token opens nothing."}' })
  expect(reported).toHaveLength(1)
  expect(asked).toHaveLength(1)
})
