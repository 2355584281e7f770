import { EventwireError } from 'eventwire'
import type { DecoderOptions } from 'eventwire/wire'
import { describe, expect, it } from 'vitest'
import { cut, listen, utf8, type Happening } from './vectors.ts'

interface Outcome {
  heard: Happening[]
  errors: EventwireError[]
}

function run(chunks: readonly Uint8Array[], options: Partial<DecoderOptions> = {}): Outcome {
  const errors: EventwireError[] = []
  const { push, heard } = listen({ onError: (error) => errors.push(error), ...options })
  for (const chunk of chunks) push(chunk)
  return { heard, errors }
}

/** The outcome of a stream sent whole, after every way to cut it in two and byte by byte gave the same. */
function runCut(stream: string, options: Partial<DecoderOptions>): { heard: Happening[]; codes: string[] } {
  const bytes = utf8(stream)
  const seen = ({ heard, errors }: Outcome) => ({ heard, codes: errors.map(({ code }) => code) })
  const whole = seen(run([bytes], options))
  for (const at of bytes.keys()) expect(seen(run(cut(bytes, [at]), options)), `cut before byte ${at}`).toEqual(whole)
  expect(seen(run(cut(bytes, [...bytes.keys()]), options)), 'byte by byte').toEqual(whole)
  return whole
}

const message = (data: string, id = '', event = 'message'): Happening => ({ message: { event, data, id } })
const refused = (...heard: Happening[]) => ({ heard, codes: ['too-large'] })
const passed = (...heard: Happening[]) => ({ heard, codes: [] })

describe('the limit of an event', () => {
  it('refuses one that is over it, in one chunk or in many', () => {
    expect(runCut(`data: ${'x'.repeat(100)}\n\n`, { maxEventBytes: 50 })).toEqual(refused())
  })

  it('lets one pass that is exactly at it, and refuses one byte more', () => {
    expect(runCut('data: 0123456789012\n\n', { maxEventBytes: 20 })).toEqual(passed(message('0123456789012')))
    expect(runCut('data: 01234567890123\n\n', { maxEventBytes: 20 })).toEqual(refused())
  })

  it('counts the name with the data', () => {
    expect(runCut('event: update\ndata: 01234567890123\n\n', { maxEventBytes: 20 })).toEqual(
      passed(message('01234567890123', '', 'update')),
    )
    expect(runCut('event: updated\ndata: 01234567890123\n\n', { maxEventBytes: 20 })).toEqual(refused())
  })

  it('counts bytes and not characters', () => {
    expect(runCut('data: \u20AC\u20AC\u20AC\u20AC\n\n', { maxEventBytes: 19 })).toEqual(passed(message('\u20AC\u20AC\u20AC\u20AC')))
    expect(runCut('data: \u20AC\u20AC\u20AC\u20AC\n\n', { maxEventBytes: 18 })).toEqual(refused())
    const many = '\u20AC'.repeat(20)
    expect(runCut(`data: ${many}\n\n`, { maxEventBytes: 67 })).toEqual(passed(message(many)))
    expect(runCut(`data: ${many}\n\n`, { maxEventBytes: 66 })).toEqual(refused())
    expect(runCut('data: \u{1F600}\u{1F600}\n\n', { maxEventBytes: 15 })).toEqual(passed(message('\u{1F600}\u{1F600}')))
    expect(runCut('data: \u{1F600}\u{1F600}\n\n', { maxEventBytes: 14 })).toEqual(refused())
  })

  it('counts the line ends within the data', () => {
    expect(runCut('data: 01234\ndata: 01234\ndata\n\n', { maxEventBytes: 19 })).toEqual(passed(message('01234\n01234\n')))
    expect(runCut('data: 01234\ndata: 01234\ndata\n\n', { maxEventBytes: 18 })).toEqual(refused())
  })

  it('is for one event and not for the stream', () => {
    const many = Array.from({ length: 50 }, (_, index) => `data: ${index}\n\n`).join('')
    expect(run(cut(utf8(many), [7, 100]), { maxEventBytes: 16 }).heard).toHaveLength(50)
  })

  it('is one mebibyte by default', () => {
    const most = 'x'.repeat(2 ** 20 - 'message'.length)
    expect(run([utf8(`data: ${most}\n\n`)])).toEqual({ heard: [message(most)], errors: [] })
    expect(run([utf8(`data: ${most}x\n\n`)])).toMatchObject({ heard: [], errors: [{ code: 'too-large' }] })
    expect(run(cut(utf8(`data: ${most}\n\n`), [1000, 200_000, 900_000]))).toEqual({ heard: [message(most)], errors: [] })
  })

  it('may be none', () => {
    const data = 'x'.repeat(3 << 20)
    expect(run(cut(utf8(`data: ${data}\n\n`), [5, 2 ** 20, 2 ** 21]), { maxEventBytes: Infinity }).heard).toEqual([message(data)])
  })

  it('is for events only: an unheard comment or unknown field may be longer', () => {
    const stream = `: ${'c'.repeat(100)}\nunknown: ${'u'.repeat(100)}\n${'n'.repeat(100)}\ndata: a\n\n`
    expect(runCut(stream, { maxEventBytes: 20, onComment: undefined })).toEqual(passed(message('a')))
  })
})

describe('the limit of an id', () => {
  it('refuses one that is over it, in one chunk or in many', () => {
    expect(runCut('id: 12345\ndata: a\n\n', { maxIdBytes: 4 })).toEqual(refused())
    expect(runCut('id: 12345\n\n', { maxIdBytes: 4 })).toEqual(refused())
  })

  it('lets one pass that is exactly at it', () => {
    expect(runCut('id: 1234\ndata: a\n\nid: 5678\n\n', { maxIdBytes: 4 })).toEqual(passed(message('a', '1234'), { cursor: '5678' }))
  })

  it('counts bytes and not characters', () => {
    expect(runCut('id: \u00E9\u00E9\n\n', { maxIdBytes: 4 })).toEqual(passed({ cursor: '\u00E9\u00E9' }))
    expect(runCut('id: \u00E9\u00E9\n\n', { maxIdBytes: 3 })).toEqual(refused())
    expect(runCut('id: \u20AC\u20AC\u20AC\n\n', { maxIdBytes: 9 })).toEqual(passed({ cursor: '\u20AC\u20AC\u20AC' }))
    expect(runCut('id: \u20AC\u20AC\u20AC\n\n', { maxIdBytes: 8 })).toEqual(refused())
  })

  it('is one kibibyte by default', () => {
    const most = '7'.repeat(1024)
    expect(runCut(`id: ${most}\n\n`, {})).toEqual(passed({ cursor: most }))
    expect(runCut(`id: ${most}7\n\n`, {})).toEqual(refused())
  })

  it('does not concern an id that the standard ignores', () => {
    expect(runCut('id: 12345\0\ndata: a\n\n', { maxIdBytes: 4 })).toEqual(passed(message('a')))
  })
})

describe('after a limit was passed', () => {
  const limits = { maxEventBytes: 20, maxIdBytes: 4 }
  const large = `data: ${'x'.repeat(30)}\n\n`

  it('the error says what was too large, and the limit', () => {
    const [event] = run([utf8(large)], limits).errors
    expect(event).toBeInstanceOf(EventwireError)
    expect(event).toMatchObject({ code: 'too-large', message: expect.stringMatching(/an event .*\b20 bytes/) })
    expect(run([utf8('id: 12345\n\n')], limits).errors).toMatchObject([{ message: expect.stringMatching(/an id .*\b4 bytes/) }])
  })

  it('what came before it in the same chunk has been said', () => {
    const stream = `id: 1\ndata: a\n\nid: 2\n\nretry: 5\n: c\n${large}`
    expect(runCut(stream, limits)).toEqual(refused(message('a', '1'), { cursor: '2' }, { retry: 5 }, { comment: 'c' }))
  })

  it('the cursor has not moved past the event that was refused', () => {
    expect(runCut(`id: 1\ndata: a\n\nid: 2\n${large}`, limits)).toEqual(refused(message('a', '1')))
    expect(runCut(`id: 1\ndata: a\n\ndata: ${'x'.repeat(14)}\nid: 2\n\n`, limits)).toEqual(refused(message('a', '1')))
    expect(runCut('id: 1\ndata: a\n\nid: 23456\ndata: b\n\n', limits)).toEqual(refused(message('a', '1')))
  })

  it('nothing that follows is said, in the same chunk or later', () => {
    expect(runCut(`${large}id: 3\ndata: b\n\nid: 4\n\nretry: 5\n: c\n`, limits)).toEqual(refused())
    expect(runCut('id: 12345\n\nid: 3\ndata: b\n\nid: 4\n\nretry: 5\n: c\n', limits)).toEqual(refused())
  })

  it('a second thing too large is not reported again', () => {
    expect(runCut(`${large}${large}id: 12345\n\n${large}`, limits)).toEqual(refused())
  })

  it('push throws the error when there is no onError', () => {
    for (const stream of [large, 'id: 12345\n\n', 'id: 12345\ndata: a\n\n']) {
      const { push } = listen(limits)
      expect(() => push(utf8(stream))).toThrow(expect.objectContaining({ name: 'EventwireError', code: 'too-large' }))
    }
  })

  it('push throws once, after it has said what came before, and then ignores the rest', () => {
    const { push, heard } = listen(limits)
    expect(() => push(utf8(`data: a\n\n${large}data: b\n\n`))).toThrow(EventwireError)
    expect(heard).toEqual([message('a')])
    push(utf8('data: c\n\n'))
    push(utf8(large))
    expect(heard).toEqual([message('a')])
  })

  it('an event that never ends has been refused', () => {
    for (const piece of ['data: ', 'data: 0123\n', 'data\n', 'event: ', 'id: ']) {
      const { push, heard } = listen(limits)
      push(utf8(piece))
      expect(() => push(utf8(piece.includes('\n') ? piece.repeat(50) : 'x'.repeat(50)))).toThrow(EventwireError)
      expect(heard).toEqual([])
    }
  })
})
