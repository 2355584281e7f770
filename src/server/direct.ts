import { net } from './builtin.ts'

/** What is used of the socket of a response. */
export interface Socket {
  readonly writableLength: number
  readonly writableCorked: number
  readonly writableNeedDrain: boolean
  /** After so many ms without a write or a read it tells of that; 0 or none: never. */
  readonly timeout?: number | undefined
  write(bytes: Uint8Array): boolean
  cork(): void
  uncork(): void
  destroy(): unknown
  /** What is below it; none any more once it is destroyed. */
  readonly _handle?: unknown
  once(event: 'drain', listener: () => void): unknown
  off(event: 'drain', listener: () => void): unknown
}

/** What lies below a socket: it hands bytes to the system, as far as that has room for them at once. */
export interface Handle {
  /** Bytes that the system has yet to take. */
  readonly writeQueueSize: number
  /** Up to node 24 it is given a write, and gives an error's number or 0. From 26 on it is given none, and gives one when it needs it. */
  writeBuffer(write: Write | null, bytes: Uint8Array): number | Write
}

/** What is told when the system has taken what it did not take at once. */
interface Write {
  oncomplete: (status: number) => void
  /** Keeps the bytes until then. */
  buffer: Uint8Array
  /** Below 0 as long as no handle has use for it. */
  getAsyncId(): number
  /** From node 26 on: how it has ended, if it has already. */
  readonly writeStatus?: number | null
}

/** As it is by nature: whoever has replaced it since wants to see what is written. */
const natural: unknown = net && Reflect.get(net.Socket.prototype, 'write')

type Way = (handle: Handle, bytes: Uint8Array) => number | Write

/** How this version of node writes: seen when it does so itself. `null` where that is none of the ways known here. */
let way: Way | null | undefined

/** Whether a socket is node's own, as it is by nature, and not encrypted. */
export function isBare(socket: object): boolean {
  return net !== undefined && socket instanceof net.Socket && socket.constructor === net.Socket
}

/**
 * The handle of a bare socket, where bytes that are given to it come behind all that was written to the socket, and nobody misses them
 * there: nothing waits in it, and nobody collects, has replaced its `write`, or wants to know how long it is idle.
 */
export function directHandle(socket: Socket): Handle | undefined {
  const { _handle: handle } = socket
  const free = socket.writableLength === 0 && socket.writableCorked === 0 && socket.write === natural && !socket.timeout
  return way !== null && free && handle ? (handle as Handle) : undefined
}

/** Is told when the system has taken what it did not take at once; with a number below 0 when it never will. */
export interface Giver {
  left(status: number): void
}

/**
 * Gives bytes to the handle, as `socket.write` does in the end; what that does besides is a good part of what a write costs node.
 *
 * @returns How many bytes the system has yet to take.
 */
export function writeDirectly(socket: Socket, handle: Handle, bytes: Uint8Array, giver: Giver): number {
  if (!way) {
    observe(socket, handle, bytes)
    return 0
  }
  const write = way(handle, bytes)
  if (typeof write !== 'number') return follow(write, bytes, giver, handle)
  // Behind half a chunk, which may have left, it cannot go on, whatever was wrong.
  if (write !== 0) socket.destroy()
  return 0
}

function follow(write: Write, bytes: Uint8Array, giver: Giver, handle: Handle): number {
  write.buffer = bytes
  write.oncomplete = (status) => giver.left(status)
  const { writeStatus } = write
  if (typeof writeStatus === 'number') queueMicrotask(() => giver.left(writeStatus))
  // It may have been taken a moment later than at once.
  return Math.max(handle.writeQueueSize, 1)
}

/** Has the socket write, and sees how it does that. */
function observe(socket: Socket, handle: Handle, bytes: Uint8Array): void {
  way = null
  if (Object.hasOwn(handle, 'writeBuffer')) return void socket.write(bytes)
  handle.writeBuffer = (write, what) => {
    Reflect.deleteProperty(handle, 'writeBuffer')
    const result = handle.writeBuffer(write, what)
    way = what === bytes ? wayOf(write, result) : null
    return result
  }
  socket.write(bytes)
  Reflect.deleteProperty(handle, 'writeBuffer')
}

/** The way by what was seen of it; `undefined` when too little was. */
function wayOf(write: Write | null, result: number | Write): Way | null | undefined {
  if (write === null) return result === 0 || typeof result === 'object' ? asked : undefined
  if (typeof write?.getAsyncId !== 'function') return null
  return result === 0 ? given(write.constructor as new () => Write) : undefined
}

/** From node 26 on. What fails when it is asked, and not at once, nobody tells of: then the stall timeout ends the connection. */
const asked: Way = (handle, bytes) => handle.writeBuffer(null, bytes)

/** Up to node 24. A write for which the handle had no use serves for the next, of whatever socket. */
function given(Write: new () => Write): Way {
  let spare = new Write()
  return (handle, bytes) => {
    const write = spare
    const error = handle.writeBuffer(write, bytes)
    if (error === 0 && write.getAsyncId() < 0) return 0
    spare = new Write()
    return error === 0 ? write : error
  }
}
