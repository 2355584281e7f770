import { EventwireError } from '../errors.ts'
import { EMPTY, follow, type Checksum } from './crc.ts'

/**
 * A batch refers back to at most this much of what went before, which is read again for each. Twice as much saves 4 % more bytes,
 * takes up to half as long again, and lets newcomers wait twice as long.
 */
const WINDOW_BYTES = 8 << 10

/** Blocks up to this size stay as they are: so few bytes hardly shrink, and each would cost as much time as a large one. */
const STORED_BYTES = 256

/** What is used of `node:zlib`. */
export interface Zlib {
  deflateRawSync(bytes: Uint8Array, options: { finishFlush: number; dictionary?: Uint8Array }): Uint8Array
  crc32(bytes: Uint8Array, value: number): number
  readonly constants: { readonly Z_SYNC_FLUSH: number }
}

/** The platform's zlib. Throws where there is none. */
export function requireZlib(): Zlib {
  // Not imported: that would fail where there is none, whether it is asked for or not.
  const found: Partial<Zlib> | undefined = globalThis.process?.getBuiltinModule?.('node:zlib')
  if (found?.deflateRawSync && found.crc32 && found.constants) return found as Zlib
  throw new EventwireError(
    'invalid-option',
    "compression: 'shared' needs node:zlib, which is not here. Node 22.3, Bun and Deno have it, and Cloudflare Workers with the flag nodejs_compat.",
  )
}

/** What a gzip stream begins with (RFC 1952, 2.3): deflate, no name, no time, an unknown system. */
export const GZIP_HEADER = Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff)

/** What a gzip stream ends with: a last block, without content, and the checksum of all there was (RFC 1952, 2.3.1). */
export function endOfStream({ crc, length }: Checksum): Uint8Array {
  const end = new Uint8Array(10)
  end[0] = 3
  const view = new DataView(end.buffer)
  view.setUint32(2, crc, true)
  // Modulo 2^32, as it is to be.
  view.setUint32(6, length, true)
  return end
}

/** Bytes as blocks of deflate that refer to nothing before them, end with a byte, and can be read to their end once they are there. */
function deflateAlone(zlib: Zlib, bytes: Uint8Array): Uint8Array {
  return bytes.byteLength > STORED_BYTES ? deflate(zlib, bytes) : stored(bytes)
}

/**
 * Deflates the batches of a group once for all its connections. A batch refers back to those before it, as far as the last key frame,
 * which refers to nothing: who has had all of them from there on takes it so, and anybody else takes it alone.
 */
export class SharedDeflate {
  /** What the next batch may refer to. A new one from each key frame on, as earlier frames may have yet to be deflated. */
  #window = new Uint8Array(0)
  #used = 0
  #odometer = EMPTY
  /** The batch that is being sent. */
  frame: Frame | undefined
  /** How many took the last batch in step, and how many took one alone since the last key frame. */
  #following = 0
  #waited = 0

  constructor(readonly zlib: Zlib) {}

  /** Takes the next batch, which must not change. Nothing is deflated before a connection takes it. */
  encode(batch: Uint8Array): Frame {
    this.release()
    // A key frame costs those in step what a batch without one costs those who are not. So it is due once as many have paid.
    const key = this.#used === 0 || this.#waited > this.#following
    const window = key ? undefined : this.#window.subarray(0, this.#used)
    const before = this.#odometer
    this.#odometer = { crc: this.zlib.crc32(batch, before.crc), length: before.length + batch.byteLength }
    if (key) {
      this.#window = new Uint8Array(0)
      this.#used = this.#waited = 0
    }
    this.#extend(batch)
    return (this.frame = new Frame(this.zlib, batch, window, before, this.#odometer))
  }

  /** Lets go of the batch, once it was sent. */
  release(): void {
    if (!this.frame) return
    this.#following = this.frame.following
    this.#waited += this.frame.waiting
    this.frame = undefined
  }

  /** Adds a batch to the window. One that does not fit leaves it empty, and so the next is a key frame. */
  #extend(batch: Uint8Array): void {
    const end = this.#used + batch.byteLength
    if (end > WINDOW_BYTES) {
      this.#used = 0
      return
    }
    if (end > this.#window.byteLength) {
      const larger = new Uint8Array(Math.min(WINDOW_BYTES, 2 * end))
      larger.set(this.#window.subarray(0, this.#used))
      this.#window = larger
    }
    this.#window.set(batch, this.#used)
    this.#used = end
  }
}

/** A batch of a group, in the forms in which its connections take it. */
export class Frame {
  /** How many connections took it in step, and how many alone. */
  following = 0
  waiting = 0
  #inStep: Uint8Array | undefined
  #alone: Uint8Array | undefined

  /** `before` and `after` are the checksums of all batches up to this one and with it: the same object stands between two that follow one another. */
  constructor(
    readonly zlib: Zlib,
    readonly batch: Uint8Array,
    readonly window: Uint8Array | undefined,
    readonly before: Checksum,
    readonly after: Checksum,
  ) {}

  /** It refers to nothing before it: who takes it is in step from here on. */
  get key(): boolean {
    return this.window === undefined
  }

  /** The bytes for a connection: the same object for all that take the same form. */
  take(inStep: boolean): Uint8Array {
    if (inStep) this.following++
    else this.waiting++
    if (inStep && this.window) return (this.#inStep ??= deflate(this.zlib, this.batch, this.window))
    return (this.#alone ??= deflateAlone(this.zlib, this.batch))
  }
}

/** The body of one connection, after the header. */
export class GzipStream {
  /** Whether it was sent every batch since the last key frame, and nothing else. */
  #inStep = false
  /** The checksum of what it was sent, but for the batches from `#from` to `#at`, of which it was sent every one. */
  #sent = EMPTY
  #from = EMPTY
  #at = EMPTY

  constructor(readonly zlib: Zlib) {}

  /** What to send for a batch of its group. Batches may be left out, and taken up later on. */
  batch(frame: Frame): Uint8Array {
    if (frame.before !== this.#at) this.#leave(frame.before)
    this.#at = frame.after
    this.#inStep ||= frame.key
    return frame.take(this.#inStep)
  }

  /** What to send for bytes that are not of its group's batches. */
  alone(bytes: Uint8Array): Uint8Array {
    this.#leave(this.#at)
    this.#sent = { crc: this.zlib.crc32(bytes, this.#sent.crc), length: this.#sent.length + bytes.byteLength }
    return deflateAlone(this.zlib, bytes)
  }

  /** What to send last. */
  end(): Uint8Array {
    this.#leave(this.#at)
    return endOfStream(this.#sent)
  }

  #leave(next: Checksum): void {
    this.#sent = follow(this.#sent, this.#from, this.#at)
    this.#from = this.#at = next
    this.#inStep = false
  }
}

/** Whether a request would have gzip, by its `Accept-Encoding` (RFC 9110, 12.5.3). One that has no such header is not asked to unpack. */
export function acceptsGzip(header: string | undefined): boolean {
  const weights = new Map((header ?? '').split(',').map(weightOf))
  const gzip = weights.get('gzip') ?? weights.get('x-gzip') ?? weights.get('*') ?? 0
  return gzip > 0 && gzip >= (weights.get('identity') ?? 0)
}

/** A coding and its weight. One that cannot be read is none. */
function weightOf(item: string): [coding: string, weight: number] {
  const [coding = '', ...parameters] = item.replaceAll(/\s/g, '').toLowerCase().split(';')
  const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1'
  return [coding, /^(?:0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/.test(weight) ? Number(weight) : 0]
}

/** The blocks end where a byte does, with all their content: a sync flush. */
function deflate(zlib: Zlib, bytes: Uint8Array, dictionary?: Uint8Array): Uint8Array {
  const deflated = zlib.deflateRawSync(bytes, { finishFlush: zlib.constants.Z_SYNC_FLUSH, ...(dictionary && { dictionary }) })
  // A copy: what zlib gives is the beginning of 16 KB that it would keep.
  return new Uint8Array(deflated)
}

/** A block whose bytes are as they were (RFC 1951, 3.2.4). */
function stored(bytes: Uint8Array): Uint8Array {
  const { byteLength } = bytes
  const block = new Uint8Array(5 + byteLength)
  const view = new DataView(block.buffer)
  view.setUint16(1, byteLength, true)
  view.setUint16(3, byteLength ^ 0xffff, true)
  block.set(bytes, 5)
  return block
}
