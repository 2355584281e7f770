/** Size of the blocks that texts share. Whoever holds on to a view of a block holds all of it. */
const BLOCK_BYTES = 64 << 10

/** A text that may be larger has a block of its own, so that little is left over at the end of the shared ones. */
const SHARED_BYTES = 16 << 10

const utf8 = new TextEncoder()

type Block = Uint8Array<ArrayBuffer>

/**
 * A queue of texts as UTF-8, which lie one behind the other in large blocks: an array of bytes for each would weigh several times
 * what it holds. Bytes are written once; a view of them stays what it is, also when the arena has let go of them.
 */
export class Arena {
  /** In circular buffers: the block of each text, and where it begins and ends there. */
  #blocks = new Array<Block | undefined>(16)
  #starts = new Uint32Array(16)
  #ends = new Uint32Array(16)
  #oldest = 0
  /** The block that is being filled. */
  #block: Block = new Uint8Array()
  #used = 0
  /** How many texts it holds. */
  length = 0
  /** Their bytes. */
  bytes = 0

  /** Adds a text, and gives its size in bytes. */
  push(text: string): number {
    if (this.length === this.#blocks.length) this.#grow()
    const slot = this.#slot(this.length)
    const size = text.length * 3 <= SHARED_BYTES ? this.#share(text, slot) : this.#own(text, slot)
    // Last: what could not be encoded was never there.
    this.length++
    this.bytes += size
    return size
  }

  /** Drops the oldest text. Only while there is one. */
  shift(): void {
    this.bytes -= this.size(0)
    this.#blocks[this.#oldest] = undefined
    this.#oldest = this.#slot(1)
    this.length--
  }

  /** The size of the text at `position`, counted from the oldest. */
  size(position: number): number {
    const slot = this.#slot(position)
    return this.#ends[slot]! - this.#starts[slot]!
  }

  /** Whether one text follows the other in the same block, where `next` is the position behind `position`. */
  adjoins(position: number): boolean {
    const slot = this.#slot(position)
    const next = this.#slot(position + 1)
    return this.#blocks[slot] === this.#blocks[next] && this.#ends[slot] === this.#starts[next]
  }

  /** The bytes of the texts from `first` to `last`, each of which adjoins the next. */
  view(first: number, last: number): Uint8Array {
    const slot = this.#slot(first)
    return this.#blocks[slot]!.subarray(this.#starts[slot], this.#ends[this.#slot(last)])
  }

  /** Writes a text behind the others of its block, or into a new one. */
  #share(text: string, slot: number): number {
    const { read, written } = utf8.encodeInto(text, this.#block.subarray(this.#used))
    if (read === text.length) return this.#place(slot, written)
    this.#block = new Uint8Array(BLOCK_BYTES)
    this.#used = 0
    return this.#place(slot, utf8.encodeInto(text, this.#block).written)
  }

  #place(slot: number, size: number): number {
    this.#blocks[slot] = this.#block
    this.#starts[slot] = this.#used
    this.#ends[slot] = this.#used += size
    return size
  }

  #own(text: string, slot: number): number {
    const block = utf8.encode(text)
    this.#blocks[slot] = block
    this.#starts[slot] = 0
    this.#ends[slot] = block.byteLength
    return block.byteLength
  }

  #slot(position: number): number {
    return (this.#oldest + position) & (this.#blocks.length - 1)
  }

  #grow(): void {
    const { length } = this
    const blocks = new Array<Block | undefined>(length * 2)
    const starts = new Uint32Array(length * 2)
    const ends = new Uint32Array(length * 2)
    for (let i = 0; i < length; i++) {
      const slot = this.#slot(i)
      blocks[i] = this.#blocks[slot]
      starts[i] = this.#starts[slot]!
      ends[i] = this.#ends[slot]!
    }
    this.#blocks = blocks
    this.#starts = starts
    this.#ends = ends
    this.#oldest = 0
  }
}
