import { join } from './bytes.ts'
import type { Coding } from './coding.ts'
import type { Sink } from './sink.ts'

/** Most bytes handed to the sink at once. More leaves in slices, so that a large event on a slow link shows progress. */
const SLICE_BYTES = 64 << 10

const utf8 = new TextEncoder()

/** What a connection writes to. */
export interface Outlet {
  /** While it is, nothing may be written. */
  readonly full: boolean
  /** Bytes that have been written and have not left. */
  readonly buffered: number
  /** Whether it has been full, or ending, for so long without a slice leaving. */
  stalled(timeout: number): boolean
  /** Takes a block whole. False when it is full now. */
  write(block: Uint8Array | string): boolean
  /** The sink has drained: what is left of the last block goes on. False when it is full again, or at its end. */
  drained(): boolean
  /** Resolves when there is room, or nothing more to wait for; `undefined` when there is room now. */
  room(): Promise<void> | undefined
  /** Lets go of who waits for room. */
  release(): void
  /** Ends the stream after what was written. */
  end(): void
  /** Ends it at once. */
  destroy(): void
}

/** A sink as connections use it: it takes blocks of any size, and knows since when it has been full. */
export class Transport implements Outlet {
  /** What is left of the last block. */
  #rest: Uint8Array | undefined
  /** When it became full, as `performance.now()` has it; `undefined` while there is room. */
  #fullSince: number | undefined
  /** Its end is not asked for, is due when the rest has left, or is handed to the sink. */
  #end: 'open' | 'due' | 'done' = 'open'
  #room: PromiseWithResolvers<void> | undefined

  constructor(
    readonly sink: Sink,
    readonly coding?: Coding,
  ) {}

  get full(): boolean {
    return this.#fullSince !== undefined
  }

  get buffered(): number {
    return this.sink.buffered + (this.#rest?.byteLength ?? 0)
  }

  stalled(timeout: number): boolean {
    return this.#fullSince !== undefined && performance.now() - this.#fullSince >= timeout
  }

  write(block: Uint8Array | string): boolean {
    const bytes = typeof block === 'string' ? encode(block) : block
    return this.#take(this.coding ? this.#encode(this.coding, bytes) : bytes)
  }

  drained(): boolean {
    if (this.#end === 'done') return false
    this.#fullSince = undefined
    if (!this.#push()) return false
    if (this.#end === 'due') {
      this.#finish()
      return false
    }
    this.release()
    return true
  }

  room(): Promise<void> | undefined {
    if (!this.full) return undefined
    this.#room ??= Promise.withResolvers()
    return this.#room.promise
  }

  release(): void {
    this.#room?.resolve()
    this.#room = undefined
  }

  end(): void {
    if (this.#end !== 'open') return
    if (this.coding) this.#take(this.coding.end())
    this.#end = 'due'
    if (!this.#rest) this.#finish()
  }

  destroy(): void {
    this.sink.destroy()
  }

  #take(bytes: Uint8Array): boolean {
    if (bytes.byteLength === 0) return !this.full
    // It is not to be written to while it is full; but the end of a coding is, and half a block is worse than a longer wait.
    if (this.#rest || this.full) {
      this.#rest = this.#rest ? join([this.#rest, bytes]) : bytes
      return false
    }
    if (bytes.byteLength <= SLICE_BYTES) return this.#hand(bytes)
    this.#rest = bytes
    return this.#push()
  }

  #finish(): void {
    this.#end = 'done'
    // Watched on: what was written has yet to leave.
    this.#fullSince ??= performance.now()
    this.sink.end()
  }

  #push(): boolean {
    while (this.#rest && !this.full) {
      const rest = this.#rest
      this.#rest = rest.byteLength > SLICE_BYTES ? rest.subarray(SLICE_BYTES) : undefined
      this.#hand(rest.subarray(0, SLICE_BYTES))
    }
    return !this.full
  }

  #hand(bytes: Uint8Array): boolean {
    if (this.#accepts(bytes)) return true
    this.#fullSince = performance.now()
    return false
  }

  #accepts(bytes: Uint8Array): boolean {
    try {
      return this.sink.write(bytes)
    } catch {
      this.#fail()
      return false
    }
  }

  #encode(coding: Coding, bytes: Uint8Array): Uint8Array {
    try {
      return coding.encode(bytes)
    } catch {
      this.#fail()
      return new Uint8Array()
    }
  }

  /** What throws harms its own connection alone, not the others that are handed the same bytes. */
  #fail(): void {
    // Later: its end tells the application, which may emit while the others have yet to be written to.
    queueMicrotask(() => this.sink.destroy())
  }
}

/** The text that was encoded last: when many connect at once, and at each heartbeat, it is the same again and again. */
let encoded: { readonly text: string; readonly bytes: Uint8Array } = { text: '', bytes: new Uint8Array() }

function encode(text: string): Uint8Array {
  if (text !== encoded.text) encoded = { text, bytes: utf8.encode(text) }
  return encoded.bytes
}
