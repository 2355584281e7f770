import { join } from './bytes.ts'
import { GZIP_HEADER, GzipStream, type SharedDeflate, type Zlib } from './gzip.ts'

/** Turns the blocks of one connection into the bytes of its body. */
export interface Coding {
  encode(block: Uint8Array): Uint8Array
  /** What the body ends with. */
  end(): Uint8Array
}

/** The body as gzip. The batches of the connection's group are compressed once for all who are sent them. */
export class GzipCoding implements Coding {
  readonly #stream: GzipStream
  readonly #group: SharedDeflate
  #begun = false

  constructor(zlib: Zlib, group: SharedDeflate) {
    this.#stream = new GzipStream(zlib)
    this.#group = group
  }

  encode(block: Uint8Array): Uint8Array {
    const { frame } = this.#group
    // The very bytes of the group's batch, or else it is for this connection alone.
    return this.#begin(frame?.batch === block ? this.#stream.batch(frame) : this.#stream.alone(block))
  }

  end(): Uint8Array {
    return this.#begin(this.#stream.end())
  }

  #begin(bytes: Uint8Array): Uint8Array {
    if (this.#begun) return bytes
    this.#begun = true
    return join([GZIP_HEADER, bytes])
  }
}
