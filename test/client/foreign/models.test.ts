import { describe, expect, test } from 'vitest'
import type { SubscriberOptions } from 'eventwire/client'
import { collector } from '../../support/subscribe.ts'
import { MODELS, read, TOKENS } from './models.ts'
import { blocksOf, play, recording, refuse, serveForeign } from './support.ts'

const WHOLE = TOKENS.join('')

describe.each(MODELS)('an answer of $name', ({ name, isToken, ask }) => {
  const answer = recording(name)
  const blocks = blocksOf(answer)
  const half = blocks.slice(0, blocks.findLastIndex(isToken) - 2).join('')

  test('is asked for by POST, with a body and headers that take their time', async () => {
    const { url, asked } = await serveForeign((response) => (play(response, answer), response.end()))
    const heard: string[] = []
    await read(ask(url), heard)
    expect(asked).toMatchObject([
      { method: 'POST', headers: { 'content-type': 'application/json', authorization: 'Bearer key-1', accept: 'text/event-stream' } },
    ])
    expect(JSON.parse(asked[0]!.body)).toEqual({ model: 'tide-1', stream: true, prompt: 'When does the tide turn, täglich?' })
    expect(asked[0]!.headers['last-event-id']).toBeUndefined()
  })

  test('comes token by token, as they are sent, and is complete at its end', async () => {
    const tokens = collector<string>()
    const { url, asked } = await serveForeign(async (response) => {
      for (const block of blocks) {
        play(response, block)
        // The next is sent only when this one has been heard.
        if (isToken(block)) await tokens.reach(tokens.items.length + 1)
      }
      response.end()
    })
    const asking = ask(url)
    const heard: string[] = []
    await read(asking, heard, () => tokens.take(heard.at(-1)!))
    expect(heard).toEqual(TOKENS)
    expect(await asking.stream.closed).toEqual({ reason: 'ended' })
    expect(asking.stream.status).toEqual({ state: 'closed', reason: 'ended' })
    expect(asking.errors).toEqual([])
    expect(asked).toHaveLength(1)
  })

  test('is complete though the server leaves the connection open, which is closed then', async () => {
    const { url, asked } = await serveForeign((response) => play(response, answer))
    const asking = ask(url)
    const heard: string[] = []
    await read(asking, heard)
    expect(heard.join('')).toBe(WHOLE)
    expect(await asking.stream.closed).toEqual({ reason: 'ended' })
    await asked[0]!.over
    expect(asking.errors).toEqual([])
  })

  test.each([
    ['ends', 'interrupted'],
    ['is destroyed', 'network'],
  ])('that %s before its end, wherever that is, is never complete, and not asked for again', async (how, code) => {
    for (const [cut, block] of blocks.entries()) {
      const said = TOKENS.slice(0, blocks.slice(0, cut).filter(isToken).length)
      const tokens = collector<string>()
      const { url, asked } = await serveForeign(async (response) => {
        play(response, blocks.slice(0, cut).join('') + block.slice(0, block.length / 2))
        if (how === 'ends') return response.end()
        // What lies in a socket that is destroyed may be lost with it.
        await tokens.reach(said.length)
        return response.destroy()
      })
      const asking = ask(url)
      const heard: string[] = []
      const reading = read(asking, heard, () => tokens.take(''))
      await expect(reading, `cut in block ${cut}`).rejects.toMatchObject({ code })
      expect(heard).toEqual(said)
      expect(await asking.stream.closed).toMatchObject({ reason: 'fatal', error: { code } })
      expect(asking.stream.status).toMatchObject({ state: 'closed', reason: 'fatal' })
      expect(asking.errors).toMatchObject([{ code }])
      expect(asked).toHaveLength(1)
    }
  })

  const again: readonly (readonly [how: string, options: SubscriberOptions])[] = [
    ['when it is idempotent', { idempotent: true }],
    ['when shouldRetry says so', { shouldRetry: ({ code }) => code === 'interrupted' }],
  ]

  test.each(again)('that was cut is asked for again %s, and begins anew', async (_, options) => {
    const { url, asked } = await serveForeign((response, __, attempt) => {
      play(response, attempt === 1 ? half : answer)
      response.end()
    })
    const asking = ask(url, options)
    const states: string[] = []
    asking.stream.onStatus((status) => states.push('error' in status ? status.error.code : status.state))
    const heard: string[] = []
    let all = 0
    await read(asking, heard, () => all++)
    expect(heard).toEqual(TOKENS)
    expect(all).toBeGreaterThan(TOKENS.length)
    expect(await asking.stream.closed).toEqual({ reason: 'ended' })
    expect(states).toEqual(['connecting', 'open', 'interrupted', 'connecting', 'open', 'closed'])
    expect(asked).toHaveLength(2)
    expect(asked[1]).toMatchObject({ method: 'POST', body: asked[0]!.body, headers: { authorization: 'Bearer key-1' } })
    expect(asking.errors).toEqual([])
  })

  test('is given up when shouldRetry refuses, though it is idempotent', async () => {
    const { url, asked } = await serveForeign((response) => (play(response, half), response.end()))
    await expect(read(ask(url, { idempotent: true, shouldRetry: () => false }), [])).rejects.toMatchObject({ code: 'interrupted' })
    expect(asked).toHaveLength(1)
  })

  describe('is stopped', () => {
    test.each(['close', 'signal'])('by %s, and the server sees it leave', async (how) => {
      const { url, asked } = await serveForeign((response) => play(response, half))
      const controller = new AbortController()
      const asking = ask(url, { signal: controller.signal })
      const heard: string[] = []
      await read(asking, heard, (count) => {
        if (count < 2) return
        if (how === 'close') asking.stream.close()
        else controller.abort()
      })
      expect(heard).toEqual(TOKENS.slice(0, 2))
      expect(await asking.stream.closed).toEqual({ reason: 'aborted' })
      await asked[0]!.over
      expect(asked).toHaveLength(1)
      expect(asking.errors).toEqual([])
    })

    test('before it has begun, and the server sees it leave', async () => {
      const arrived = Promise.withResolvers<void>()
      const { url, asked } = await serveForeign(() => arrived.resolve())
      const asking = ask(url)
      const heard: string[] = []
      const reading = read(asking, heard)
      await arrived.promise
      asking.stream.close()
      await reading
      await asked[0]!.over
      expect([heard, await asking.stream.closed]).toEqual([[], { reason: 'aborted' }])
    })
  })

  test('that is refused with 401 has failed, and says what the server said', async () => {
    const body = { error: { type: 'authentication_error', message: 'This key opens nothing.' } }
    const { url, asked } = await serveForeign((response) => refuse(response, 401, body))
    const asking = ask(url)
    await expect(read(asking, [])).rejects.toMatchObject({ code: 'bad-status', status: 401, body: JSON.stringify(body) })
    expect(await asking.stream.closed).toMatchObject({ reason: 'fatal', error: { status: 401 } })
    expect(asked).toHaveLength(1)
  })

  test('that is refused with 401 is asked for once more behind onUnauthorized, which renews the key', async () => {
    const { url, asked } = await serveForeign((response, { headers }) => {
      if (headers.authorization !== 'Bearer key-2') return refuse(response, 401, { error: {} })
      play(response, answer)
      return response.end()
    })
    let key = 'key-1'
    const asking = ask(url, {
      headers: async () => ({ 'content-type': 'application/json', authorization: `Bearer ${key}` }),
      onUnauthorized: async () => void (key = 'key-2'),
    })
    const heard: string[] = []
    await read(asking, heard)
    expect([heard.join(''), asked.length]).toEqual([WHOLE, 2])
    expect(asked[1]!.body).toBe(asked[0]!.body)
  })

  test.each([
    [429, 'rate_limit_error', { 'retry-after': '1' }, 1_000],
    [529, 'overloaded_error', {}, 250],
  ])('that is refused with %i has failed, unless it may be asked for again', async (status, type, headers, least) => {
    const body = { error: { type, message: 'Not now.' } }
    const { url, asked } = await serveForeign((response, _, attempt) => {
      if (attempt <= 2) return refuse(response, status, body, headers)
      play(response, answer)
      return response.end()
    })
    const refused = ask(url)
    await expect(read(refused, [])).rejects.toMatchObject({ code: 'bad-status', status, body: JSON.stringify(body) })
    expect(asked).toHaveLength(1)

    const asking = ask(url, { shouldRetry: (error) => error.status === status || undefined })
    const heard: string[] = []
    await read(asking, heard)
    expect([heard.join(''), asked.length]).toEqual([WHOLE, 3])
    expect(asked[2]!.at - asked[1]!.at).toBeGreaterThan(least - 10)
    expect(await asking.stream.closed).toEqual({ reason: 'ended' })
  })

  test('that is refused with 400 has failed, though it is idempotent', async () => {
    const { url, asked } = await serveForeign((response) => refuse(response, 400, { error: { message: 'No such model.' } }))
    await expect(read(ask(url, { idempotent: true }), [])).rejects.toMatchObject({ code: 'bad-status', status: 400 })
    expect(asked).toHaveLength(1)
  })
})
