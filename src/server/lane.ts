import type { Outlet } from './transport.ts'

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const utf8 = new TextEncoder()

/** In how many ways a block is kept that was rewritten last: mostly all connections want the same one. */
const KEPT = 8

/** What of a cursor lies before and behind a shard's own place. */
export interface Around {
  readonly before: string
  readonly behind: string
}

/** Puts the places in other shards around each cursor in the blocks of a log. */
export function putAround(blocks: string, { before, behind }: Around): string {
  // Fields of events are lines of their own: neither data nor a comment can begin one with `id`.
  return blocks.replaceAll(/(^|\n)id: ?([^\n]*)/g, (_, start: string, cursor: string) => `${start}id: ${before}${cursor}${behind}`)
}

/** The same for bytes that are sent to many: those whose cursors are alike are given the same ones. */
export class SharedBlocks {
  #source: Uint8Array | undefined
  readonly #made = new Map<string, Uint8Array>()

  putAround(source: Uint8Array, around: Around): Uint8Array {
    if (source !== this.#source) {
      this.#source = source
      this.#made.clear()
    }
    const key = `${around.before} ${around.behind}`
    const found = this.#made.get(key)
    if (found) return found
    const made = utf8.encode(putAround(decoder.decode(source), around))
    if (this.#made.size >= KEPT) this.#made.clear()
    this.#made.set(key, made)
    return made
  }
}

/** What a lane needs of the stream that it is a part of. */
export interface Lanes {
  readonly transport: Outlet
  /** Takes a block of one of them. */
  pass(lane: number, block: Uint8Array | string): boolean
  /** One has come to its end, and so have all. */
  end(): void
}

/** What one of the connections writes to that make up a stream: the transport of all of them. */
export class LaneOutlet implements Outlet {
  constructor(
    readonly lanes: Lanes,
    readonly lane: number,
  ) {}

  get full(): boolean {
    return this.lanes.transport.full
  }

  /** What waits is counted once. */
  get buffered(): number {
    return this.lane === 0 ? this.lanes.transport.buffered : 0
  }

  stalled(timeout: number): boolean {
    return this.lanes.transport.stalled(timeout)
  }

  write(block: Uint8Array | string): boolean {
    return this.lanes.pass(this.lane, block)
  }

  /** The stream hears of that, and has each read on. */
  drained(): boolean {
    return false
  }

  room(): Promise<void> | undefined {
    return this.lanes.transport.room()
  }

  release(): void {}

  end(): void {
    this.lanes.end()
  }

  destroy(): void {
    this.lanes.transport.destroy()
  }
}
