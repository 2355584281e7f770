import { http } from './builtin.ts'
import { directHandle, isBare, writeDirectly, type Giver, type Socket } from './direct.ts'
import type { NodeResponse } from './node.ts'
import type { Sink } from './sink.ts'

/** From here on the frame is written around the bytes, instead of copying them into it. */
const LARGE_BYTES = 16 << 10

const CRLF = new TextEncoder().encode('\r\n')

/** What a body in chunks belongs to: a response, or what stands for it once node:http has let go of its socket. */
export interface Carrier {
  readonly socket: Socket
  readonly writableEnded: boolean
  readonly writableLength: number
  write(bytes: Uint8Array): boolean
  end(): unknown
  destroy(): unknown
  once(event: 'drain', listener: () => void): unknown
}

/** A response whose chunks are framed here. */
export interface ChunkedResponse extends NodeResponse {
  readonly socket: Socket
  readonly writableEnded: boolean
  /** Known once the head is written. */
  readonly chunkedEncoding: boolean
  flushHeaders(): void
  once(event: 'drain', listener: () => void): unknown
}

/**
 * Whether nobody stands between a response, whose head has yet to be written, and its socket: then, if it is `chunkedEncoding`, what
 * `response.write` would write may as well be written to the socket.
 */
export function isPlain(response: NodeResponse): response is ChunkedResponse {
  return (
    http !== undefined &&
    response instanceof http.ServerResponse &&
    isUnchanged(response) &&
    response.socket !== null &&
    // Somebody compresses, or collects what is written to send it later.
    !response.hasHeader('content-encoding') &&
    response.writableCorked === 0
  )
}

/** Whether it writes as node:http does. */
function isUnchanged({ write }: { readonly write: unknown }): boolean {
  return write === http?.OutgoingMessage.prototype.write
}

/**
 * Writes the body of an HTTP/1.1 response straight to its socket: chunks (RFC 9112 7.1) that are framed once for all connections that
 * are sent the same bytes, where `response.write` frames them for each.
 */
export class ChunkedSink implements Sink, Giver {
  readonly #carrier: Carrier
  readonly #socket: Socket
  readonly #highWaterMark: number
  readonly #onDrain: () => void
  readonly #bare: boolean
  /** What was given to the handle, and the system has yet to take, in bytes. */
  #given = 0
  /** It is full because of that alone. */
  #awaited = false

  constructor(carrier: Carrier, highWaterMark: number, onDrain: () => void) {
    this.#carrier = carrier
    this.#socket = carrier.socket
    this.#highWaterMark = highWaterMark
    this.#onDrain = onDrain
    this.#bare = isBare(carrier.socket)
  }

  get buffered(): number {
    return this.#socket.writableLength + this.#given
  }

  write(bytes: Uint8Array): boolean {
    // Somebody else has ended the response: what follows on the socket belongs to the next one.
    if (this.#carrier.writableEnded) return true
    // By now somebody stands between.
    if (!isUnchanged(this.#carrier)) return this.#pass(bytes)
    const socket = this.#socket
    const taken = bytes.byteLength < LARGE_BYTES ? this.#writeSmall(frame(bytes)) : this.#writeLarge(bytes)
    if (taken || this.buffered < this.#highWaterMark) return true
    if (socket.writableNeedDrain) socket.once('drain', this.#onDrain)
    else this.#awaited = true
    return false
  }

  end(): void {
    this.#carrier.end()
  }

  destroy(): void {
    this.#carrier.destroy()
  }

  /** Acts so that what is written meanwhile leaves in one piece. */
  together(act: () => void): void {
    this.#socket.cork()
    try {
      act()
    } finally {
      this.#socket.uncork()
    }
  }

  /** Lets go of the socket, which may serve other responses now. */
  release(): void {
    this.#socket.off('drain', this.#onDrain)
    this.#awaited = false
  }

  left(status: number): void {
    this.#given = 0
    if (status < 0) this.#socket.destroy()
    else if (this.#awaited) {
      this.#awaited = false
      this.#onDrain()
    }
  }

  #pass(bytes: Uint8Array): boolean {
    const carrier = this.#carrier
    if (carrier.write(bytes) || carrier.writableLength < this.#highWaterMark) return true
    carrier.once('drain', this.#onDrain)
    return false
  }

  #writeSmall(chunk: Uint8Array): boolean {
    const socket = this.#socket
    // What waits for the system is in its order there; what follows it may as well wait in the socket.
    const handle = this.#bare && this.#given === 0 ? directHandle(socket) : undefined
    if (!handle) return socket.write(chunk)
    this.#given = writeDirectly(socket, handle, chunk, this)
    return this.#given === 0 && !socket.writableNeedDrain
  }

  #writeLarge(bytes: Uint8Array): boolean {
    const socket = this.#socket
    socket.cork()
    socket.write(Buffer.from(`${bytes.byteLength.toString(16)}\r\n`))
    socket.write(bytes)
    const taken = socket.write(CRLF)
    socket.uncork()
    return taken
  }
}

/** The chunk of the bytes that were framed last: a sweep asks for the same one again and again. */
let last: { readonly bytes: Uint8Array; readonly chunk: Uint8Array } = { bytes: CRLF, chunk: CRLF }

function frame(bytes: Uint8Array): Uint8Array {
  if (bytes === last.bytes) return last.chunk
  const size = bytes.byteLength.toString(16)
  // Not of node's pool, which a socket that is full would hold on to.
  const chunk = Buffer.allocUnsafeSlow(size.length + bytes.byteLength + 4)
  chunk.write(`${size}\r\n`)
  chunk.set(bytes, size.length + 2)
  chunk.set(CRLF, chunk.byteLength - 2)
  last = { bytes, chunk }
  return chunk
}
