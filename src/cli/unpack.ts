import type { IncomingMessage } from 'node:http'
import type { Readable, Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib'

/** The codings that can be read. Each gives what it has as it comes, and fails where the body ends too early. */
const CODINGS: ReadonlyMap<string, () => Transform> = new Map<string, () => Transform>([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
])

/** Makes what unpacks a coding; `undefined` where it cannot be read, or is none. */
export function unpackerOf(coding = ''): (() => Transform) | undefined {
  return CODINGS.get(coding.trim().toLowerCase())
}

/** The body of a response, unpacked as it comes; as it is where that cannot be done. */
export function unpacked(response: IncomingMessage): Readable {
  const unpack = unpackerOf(response.headers['content-encoding'])?.()
  if (!unpack) return response
  // A body that is cut says so where it is read.
  response.on('error', (error) => unpack.destroy(error)).on('aborted', () => unpack.destroy(new Error('cut')))
  return response.pipe(unpack)
}
