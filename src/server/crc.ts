/** The CRC-32 and the length of bytes, as the end of a gzip stream states them. */
export interface Checksum {
  readonly crc: number
  readonly length: number
}

/** The checksum of no bytes. */
export const EMPTY: Checksum = { crc: 0, length: 0 }

/** CRC-32's polynomial without x^32, its coefficients in the order of CRC-32: the highest bit is that of x^0. */
const POLYNOMIAL = 0xedb88320

/** x^(2^n) modulo the polynomial. The 32 values go round: x^(2^32) is x again. */
const POWERS = powers()

/**
 * The checksum of `sent` and all that another stream carried between two moments, by the checksums which that stream had then.
 *
 * CRC-32 is linear: two streams that go on with the same bytes differ by what they differed before, times x^8 for every byte.
 * So it takes one multiplication for each bit of the length, whatever went by, and nothing while it goes by.
 */
export function follow(sent: Checksum, from: Checksum, to: Checksum): Checksum {
  const length = to.length - from.length
  return { crc: (to.crc ^ shift(sent.crc ^ from.crc, length)) >>> 0, length: sent.length + length }
}

/** A polynomial times x^(8 × length). */
function shift(polynomial: number, length: number): number {
  // Not by shifts of bits: a length may have more than 32.
  for (let rest = length, power = 3; rest > 0; rest = Math.floor(rest / 2), power++) {
    if (rest % 2 === 1) polynomial = multiply(polynomial, POWERS[power % 32]!)
  }
  return polynomial
}

/** The product of two polynomials, modulo CRC-32's. */
function multiply(a: number, b: number): number {
  let product = 0
  for (let term = 0x80000000; term !== 0; term >>>= 1) {
    if (a & term) product ^= b
    b = b & 1 ? (b >>> 1) ^ POLYNOMIAL : b >>> 1
  }
  return product
}

function powers(): number[] {
  const found = [0x40000000] // x
  while (found.length < 32) found.push(multiply(found.at(-1)!, found.at(-1)!))
  return found
}
