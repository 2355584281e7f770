import type { Carrier, ChunkedResponse } from './chunked.ts'

/** The most that a client may go on to send, to nobody. */
const MOST_BYTES = 16 << 10

const LAST_CHUNK = new TextEncoder().encode('0\r\n\r\n')

/** What http listens to on a socket, by the names of its functions. Its 'timeout' may stay: it needs the socket alone. */
const HTTP_LISTENERS = Object.entries({
  data: 'bound socketOnData',
  end: 'bound socketOnEnd',
  close: 'bound socketOnClose',
  drain: 'bound socketOnDrain',
  error: 'socketOnError',
  pause: 'onSocketPause',
  resume: 'onSocketResume',
})

/** What listens to a response, once each: http to its end, and node.ts to the rest. */
const RESPONSE_LISTENERS: ReadonlySet<unknown> = new Set(['finish', 'close', 'error'])

// Only called for responses that are plain, and so node's own. What it returns is left to be inferred, as in chunked.ts.
const node = {
  net: () => process.getBuiltinModule('node:net'),
  http: () => process.getBuiltinModule('node:http'),
  channels: () => process.getBuiltinModule('node:diagnostics_channel'),
}

type Socket = InstanceType<ReturnType<typeof node.net>['Socket']>
type ServerResponse = InstanceType<ReturnType<typeof node.http>['ServerResponse']>

interface Parser {
  readonly incoming: unknown
  unconsume(): void
  remove(): void
  close(): void
}

/**
 * A response that node:http lets go of once its head is sent, for what http keeps of the request, the response and the parser is more
 * than all else of an idle connection. From then on this stands for the socket alone.
 */
export class Detachable implements Carrier {
  readonly #plainWrite: Carrier['write']
  #response: ChunkedResponse | undefined

  /** For a response that is plain; `undefined` when it can be seen already that http has to stay. */
  static of(response: ChunkedResponse): Detachable | undefined {
    const { socket } = response
    const { Socket } = node.net()
    // Trailers have been announced: they are http's to send.
    if (response.getHeader?.('trailer') !== undefined) return undefined
    // Of an encrypted socket http's part is the smaller.
    return socket instanceof Socket && socket.constructor === Socket ? new Detachable(response, socket) : undefined
  }

  private constructor(
    response: ChunkedResponse,
    readonly socket: Socket,
  ) {
    this.#response = response
    // oxlint-disable-next-line typescript/unbound-method -- compared, never called
    this.#plainWrite = response.write
  }

  /** Detaches the socket soon if all is as expected; else all stays as it is. What the response would tell `gone`, the socket does then. */
  detachSoon(gone: () => void): void {
    // Not at once: the parser is at work further up the stack.
    setImmediate(() => this.#detach(gone))
  }

  #detach(gone: () => void): void {
    const { socket } = this
    const response = this.#response
    if (response?.write !== this.#plainWrite || !release(response, socket)) return
    this.#response = undefined
    response.off('close', gone)
    const before = socket.bytesRead
    socket.on('data', () => socket.bytesRead - before > MOST_BYTES && socket.destroy())
    socket.on('end', endToo)
    socket.on('error', ignore)
    socket.on('close', gone)
  }

  get #carrier(): ChunkedResponse | Socket {
    return this.#response ?? this.socket
  }

  get writableEnded(): boolean {
    return this.#carrier.writableEnded
  }

  get writableLength(): number {
    return this.#carrier.writableLength
  }

  /** The one that responses have by nature, unless somebody has replaced it. */
  get write(): Carrier['write'] {
    const response = this.#response
    return response === undefined || response.write === this.#plainWrite ? this.#plainWrite : (bytes) => response.write(bytes)
  }

  end(): void {
    if (this.#response) this.#response.end()
    else if (!this.socket.writableEnded) {
      this.socket.write(LAST_CHUNK)
      this.socket.destroySoon()
    }
  }

  destroy(): void {
    this.#carrier.destroy()
  }

  once(event: 'drain', listener: () => void): void {
    this.#carrier.once(event, listener)
  }
}

/** As http does: a client that has ended its half has left. */
function endToo(this: Socket): void {
  this.end()
}

/** It is followed by 'close'. */
function ignore(): void {}

/** Makes http let go of the socket, as it does for an upgrade. False when anything is not as expected: then nothing was done. */
function release(response: ChunkedResponse, socket: Socket): boolean {
  const { parser, server }: Socket & { parser?: unknown; server?: unknown } = socket
  const listeners = HTTP_LISTENERS.map(([event, name]) => ({ event, own: socket.listeners(event).filter((it) => it.name === name) }))
  if (!(response instanceof node.http().ServerResponse) || !isParser(parser) || listeners.some(({ own }) => own.length !== 1)) return false
  if (!isIdle(response, socket, parser) || isWatched(response) || mayHalfClose(server)) return false
  response.detachSocket(socket)
  parser.unconsume()
  parser.remove()
  Object.assign(socket, { parser: null })
  for (const { event, own } of listeners) socket.off(event, own[0] as () => void)
  parser.close()
  return true
}

function isParser(value: unknown): value is Parser {
  const parser = Object(value) as Partial<Record<string, unknown>>
  return parser['_consumed'] === true && ['unconsume', 'remove', 'close'].every((name) => typeof parser[name] === 'function')
}

/** Whether the request has come whole and no other behind it, and the response holds nothing back. */
function isIdle(response: ServerResponse, socket: Socket, { incoming }: Parser): boolean {
  const { req, writableEnded, writableLength } = response
  const isOpen = socket.readable && socket.writable && !socket.isPaused() && response.socket === socket && !writableEnded
  return isOpen && incoming === req && req.complete && writableLength === socket.writableLength
}

/** Whether somebody else wants to know how it ends: nobody would tell. */
function isWatched(response: ServerResponse): boolean {
  const nature = node.http().ServerResponse.prototype
  return (
    // A session that is saved at the end, say.
    response.end !== nature.end ||
    response.emit !== nature.emit ||
    response.eventNames().some((event) => !RESPONSE_LISTENERS.has(event) || response.listenerCount(event) !== 1) ||
    response.req.eventNames().length > 0 ||
    node.channels().hasSubscribers('http.server.response.finish')
  )
}

/** Whether the server lets clients end their half and read on. */
function mayHalfClose(server: unknown): boolean {
  return !(server instanceof node.http().Server && 'httpAllowHalfOpen' in server && server.httpAllowHalfOpen === false)
}
