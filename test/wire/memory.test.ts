import { createDecoder, type DecoderOptions } from 'eventwire/wire'
import { describe, expect, it } from 'vitest'
import { heap } from '../support/heap.ts'
import { utf8 } from './vectors.ts'

const CHUNK = 1 << 16
const CHUNKS = 1024
const ALLOWED = 4 << 20

/** Sends `start` and then 64 MiB of `filling`. Tells by how many bytes the memory grew, at most, and what was reported. */
function flood(
  start: string,
  filling: string,
  options: Partial<DecoderOptions> = {},
): { grown: number; errors: string[]; messages: number } {
  const errors: string[] = []
  let messages = 0
  const decoder = createDecoder({
    onMessage: () => messages++,
    onError: ({ code }) => errors.push(code),
    ...options,
  })
  const chunk = utf8(filling.repeat(Math.ceil(CHUNK / filling.length)))
  const before = heap()
  let most = before
  decoder.push(utf8(start))
  for (let sent = 1; sent <= CHUNKS; sent++) {
    decoder.push(chunk)
    // Often at the start too, where the decoder still keeps what it is sent.
    if (sent % 256 === 0 || [1, 2, 4, 8, 15].includes(sent)) most = Math.max(most, heap())
  }
  return { grown: most - before, errors, messages }
}

describe('64 MiB', () => {
  const tooLarge = [
    ['of one data line', 'data: ', 'x'],
    ['of one data line in characters of three bytes', 'data: ', '\u20AC'],
    // Each line costs more than its text, so these have a lower limit.
    ['of data lines without a blank line', '', 'data: 0123456789\n', { maxEventBytes: 1 << 16 }],
    ['of empty data lines without a blank line', '', 'data\r\n', { maxEventBytes: 1 << 16 }],
    ['of one event name', 'event: ', 'x'],
    ['of one id', 'id: ', '7'],
    ['of one retry', 'retry: ', '0'],
  ] as const
  for (const [name, start, filling, limits] of tooLarge) {
    it(`${name} are refused once and not kept`, () => {
      const { grown, errors, messages } = flood(start, filling, limits)
      expect(errors).toEqual(['too-large'])
      expect(messages).toBe(0)
      expect(grown).toBeLessThan(ALLOWED)
    })
  }

  const legal = [
    ['of one comment', ': ', 'x'],
    ['of short comments', '', ': x\n'],
    ['of one unknown field', 'unknown: ', 'x'],
    ['of one field name', '', 'datadatadata'],
    ['of spaces', '', ' '],
    ['of blank lines', '', '\r\n\r\n'],
    ['of broken bytes in a comment', ': ', '\uFFFD'],
    ['of event names without data', '', 'event: x\n'],
    ['of ids without a blank line', '', 'id: 0123456789\n'],
  ] as const
  for (const [name, start, filling] of legal) {
    it(`${name} say nothing, are no error and are not kept`, () => {
      const { grown, errors, messages } = flood(start, filling)
      expect(errors).toEqual([])
      expect(messages).toBe(0)
      expect(grown).toBeLessThan(ALLOWED)
    })
  }

  it('of events leave nothing behind', () => {
    const { grown, errors, messages } = flood('', `id: 1\nevent: e\ndata: ${'x'.repeat(4074)}\n\n`)
    expect(errors).toEqual([])
    expect(messages).toBeGreaterThan(16_000)
    expect(grown).toBeLessThan(ALLOWED)
  })

  it('of cursors, comments and retries that are heard leave nothing behind', () => {
    let heard = 0
    const count = (): number => heard++
    const filling = `id: ${'7'.repeat(1000)}\nretry: 1000\n: ${'c'.repeat(1000)}\n\n`
    const { grown, errors } = flood('', filling, { onCursor: count, onRetry: count, onComment: count })
    expect(errors).toEqual([])
    expect(heard).toBeGreaterThan(90_000)
    expect(grown).toBeLessThan(ALLOWED)
  })
})
