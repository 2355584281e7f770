import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bytesOf, cut, decode, listen, subjects, utf8, vectors } from './vectors.ts'

const spoken = vectors.map((vector) => ({ ...vector, expect: vector.expect.filter((happening) => !('comment' in happening)) }))

describe('the vectors', () => {
  it('each have a name of their own', () => {
    const names = vectors.map(({ name }) => name)
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([])
  })

  it('each give their stream in one way, as text only where text can say it', () => {
    for (const { name, stream, bytes } of vectors) {
      expect(
        [stream, bytes].filter((form) => form !== undefined),
        name,
      ).toHaveLength(1)
      expect(stream ?? '', name).not.toMatch(/^\uFEFF/)
      expect(stream?.isWellFormed() ?? true, name).toBe(true)
      expect(bytes ?? '', name).toMatch(/^(?:[0-9a-f]{2})*$/)
    }
  })
})

for (const [subject, cases] of subjects) {
  describe(`${subject}, the stream whole`, () => {
    for (const vector of cases) {
      it(vector.name, () => expect(decode([bytesOf(vector)], vector)).toEqual(vector.expect))
    }
  })

  describe(`${subject}, byte by byte`, () => {
    for (const vector of cases) {
      it(vector.name, () => {
        const bytes = bytesOf(vector)
        expect(decode(cut(bytes, [...bytes.keys()]), vector)).toEqual(vector.expect)
      })
    }
  })

  describe(`${subject}, cut in two at every byte`, () => {
    for (const vector of cases) {
      it(vector.name, () => {
        const bytes = bytesOf(vector)
        for (const at of bytes.keys()) expect(decode(cut(bytes, [at]), vector), `cut before byte ${at}`).toEqual(vector.expect)
      })
    }
  })

  describe(`${subject}, cut at random`, () => {
    for (const vector of cases) {
      it(vector.name, () => {
        const bytes = bytesOf(vector)
        fc.assert(
          fc.property(fc.array(fc.nat()), (at) => {
            expect(decode(cut(bytes, at), vector)).toEqual(vector.expect)
          }),
          { numRuns: 30 },
        )
      })
    }
  })
}

describe('comments that nobody listens to', () => {
  it('change nothing else', () => {
    for (const vector of spoken) expect(decode([bytesOf(vector)], { ...vector, onComment: undefined }), vector.name).toEqual(vector.expect)
  })

  it('change nothing else wherever the stream is cut', () => {
    for (const vector of spoken) {
      const bytes = bytesOf(vector)
      const quiet = { ...vector, onComment: undefined }
      expect(decode(cut(bytes, [...bytes.keys()]), quiet), vector.name).toEqual(vector.expect)
      for (const at of bytes.keys()) expect(decode(cut(bytes, [at]), quiet), `${vector.name}, cut at ${at}`).toEqual(vector.expect)
    }
  })
})

describe('a decoder', () => {
  it('says an event as soon as its blank line is there, before the stream ends', () => {
    const { push, heard } = listen()
    push(utf8('data: a\n'))
    expect(heard).toEqual([])
    push(utf8('\n'))
    expect(heard).toEqual([{ message: { event: 'message', data: 'a', id: '' } }])
  })

  it('says an event at the CR of its blank line, and takes the LF in the next chunk for the other half', () => {
    const { push, heard } = listen()
    push(utf8('data: a\r\n\r'))
    expect(heard).toHaveLength(1)
    push(utf8('\ndata: b\r\n'))
    push(utf8('data: c\r\n\r\n'))
    expect(heard.slice(1)).toEqual([{ message: { event: 'message', data: 'b\nc', id: '' } }])
  })

  it('does not keep or change the chunks that it is given', () => {
    const { push, heard } = listen()
    const chunk = utf8('data: a')
    push(chunk)
    expect(chunk).toEqual(utf8('data: a'))
    chunk.fill(0)
    push(utf8('\n\n'))
    expect(heard).toEqual([{ message: { event: 'message', data: 'a', id: '' } }])
  })

  it('reads a chunk that is a part of a larger buffer', () => {
    expect(decode([utf8('data: x\n\ndata: y\n\n').subarray(9, 18)])).toEqual([{ message: { event: 'message', data: 'y', id: '' } }])
  })

  it('shares nothing with another one', () => {
    const [one, other] = [listen(), listen()]
    one.push(utf8('id: 1\nevent: e\ndata: a'))
    other.push(utf8('data: b\n\n'))
    one.push(utf8('\n\n'))
    expect(one.heard).toEqual([{ message: { event: 'e', data: 'a', id: '1' } }])
    expect(other.heard).toEqual([{ message: { event: 'message', data: 'b', id: '' } }])
  })

  it('needs no listener but onMessage', () => {
    const quiet = { onCursor: undefined, onRetry: undefined, onComment: undefined }
    const heard = decode([utf8('id: 1\n\nretry: 5\n: c\nunknown: x\nretry: x\ndata: a\n\n')], quiet)
    expect(heard).toEqual([{ message: { event: 'message', data: 'a', id: '1' } }])
  })
})

describe('a callback that throws', () => {
  const failure = new Error('the handler failed')
  const broken = (): never => {
    throw failure
  }

  it('throws out of the push that called it', () => {
    expect(() => listen({ onMessage: broken }).push(utf8('data: a\n\n'))).toThrow(failure)
    expect(() => listen({ onCursor: broken }).push(utf8('id: 1\n\n'))).toThrow(failure)
    expect(() => listen({ onRetry: broken }).push(utf8('retry: 1\n'))).toThrow(failure)
    expect(() => listen({ onComment: broken }).push(utf8(': a\n'))).toThrow(failure)
    expect(() => listen({ onError: broken, maxIdBytes: 1 }).push(utf8('id: 12\n\n'))).toThrow(failure)
  })

  it('does not keep the decoder from going on with the next push', () => {
    let calls = 0
    const { push, heard } = listen({
      onMessage(message) {
        if (calls++ === 0) throw failure
        heard.push({ message })
      },
    })
    expect(() => push(utf8('id: 1\nevent: e\ndata: a\n\nevent: f\nid: 2\ndata: b\ndata'))).toThrow(failure)
    push(utf8(': c\n\n'))
    push(utf8('data: d\n\n'))
    expect(heard).toEqual([{ message: { event: 'f', data: 'b\nc', id: '2' } }, { message: { event: 'message', data: 'd', id: '2' } }])
  })

  it('leaves no part of its event to the next one', () => {
    let calls = 0
    const { push, heard } = listen({
      onMessage(message) {
        if (calls++ === 0) throw failure
        heard.push({ message })
      },
    })
    expect(() => push(utf8('event: e\ndata: a\n\n'))).toThrow(failure)
    push(utf8('data: b\n\n'))
    expect(heard).toEqual([{ message: { event: 'message', data: 'b', id: '' } }])
  })
})
