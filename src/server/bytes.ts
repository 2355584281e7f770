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
