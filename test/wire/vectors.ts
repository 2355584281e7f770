import { readdirSync, readFileSync } from 'node:fs'
import { createDecoder, type DecodedMessage, type DecoderOptions } from 'eventwire/wire'

/** What a stream says, one thing after another. A cursor is an id that came in a block without data. */
export type Happening = { message: DecodedMessage } | { cursor: string } | { retry: number } | { comment: string }

/** One case of `test/vectors/*.json`: a stream, whole, and what it says by WHATWG HTML 9.2.5 and 9.2.6. */
export interface Vector {
  /** The fact that the case proves. */
  readonly name: string
  /** The stream as text, to be sent as UTF-8. */
  readonly stream?: string
  /** The stream in hexadecimal, where it has a BOM or is no valid UTF-8. Each case has `stream` or `bytes`. */
  readonly bytes?: string
  /** The last event id in force when the stream begins; empty without. */
  readonly lastEventId?: string
  readonly expect: readonly Happening[]
}

const folder = new URL('../vectors/', import.meta.url)

/** The vectors by subject: the names of their files. */
export const subjects: readonly (readonly [subject: string, vectors: readonly Vector[]])[] = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .map((file) => [file.slice(0, -'.json'.length), JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Vector[]])

export const vectors: readonly Vector[] = subjects.flatMap(([, cases]) => cases)

export function bytesOf({ stream, bytes }: Vector): Uint8Array {
  return bytes === undefined ? utf8(stream ?? '') : new Uint8Array(Buffer.from(bytes, 'hex'))
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** Cuts bytes at the offsets given, in any order; an offset given twice makes an empty chunk. */
export function cut(bytes: Uint8Array, at: readonly number[]): Uint8Array[] {
  const ends = at.map((offset) => offset % (bytes.length + 1)).sort((a, b) => a - b)
  return [...ends, bytes.length].map((end, index) => bytes.slice(index === 0 ? 0 : ends[index - 1], end))
}

/** A decoder, and the list of what it says as it says it. */
export function listen(options: Partial<DecoderOptions> = {}): { push: (chunk: Uint8Array) => void; heard: Happening[] } {
  const heard: Happening[] = []
  const decoder = createDecoder({
    onMessage: (message) => heard.push({ message }),
    onCursor: (cursor) => heard.push({ cursor }),
    onRetry: (retry) => heard.push({ retry }),
    onComment: (comment) => heard.push({ comment }),
    ...options,
  })
  return { push: (chunk) => decoder.push(chunk), heard }
}

/** What a decoder says of a stream that comes in these chunks. */
export function decode(chunks: readonly Uint8Array[], options: Partial<DecoderOptions> = {}): Happening[] {
  const { push, heard } = listen(options)
  for (const chunk of chunks) push(chunk)
  return heard
}
