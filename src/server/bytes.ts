/** Joins pieces into the bytes of one write. */
export function join(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!
  const joined = new Uint8Array(pieces.reduce((size, { byteLength }) => size + byteLength, 0))
  let end = 0
  for (const piece of pieces) {
    joined.set(piece, end)
    end += piece.byteLength
  }
  return joined
}

/** The bytes that were copied last: a sweep asks for the same ones again and again. */
let copied: { readonly bytes: Uint8Array; readonly copy: Uint8Array } = { bytes: new Uint8Array(), copy: new Uint8Array() }

/** The same bytes, apart from a much larger block of memory that they are a part of: who holds them for long would hold all of it. */
export function ownBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer.byteLength <= 4 * bytes.byteLength) return bytes
  if (copied.bytes !== bytes) copied = { bytes, copy: bytes.slice() }
  return copied.copy
}
