/**
 * How many bytes of the log have yet to be handed on. Not exactly, for that would take a count for each event: those up to a mark,
 * and those behind it, so it says too much, by what was appended before the mark was passed, and never too little.
 */
export class Awaiting {
  #mark = 0
  #before = 0
  #behind = 0

  /** Counts an event that was appended, and gives how many bytes wait. */
  add(seq: number, bytes: number): number {
    if (seq <= this.#mark) this.#before += bytes
    else this.#behind += bytes
    return this.#before + this.#behind
  }

  /** What goes up to `seq` waits no more; `head` is the newest there is. */
  handed(seq: number, head: number): void {
    if (seq < this.#mark) return
    this.#before = seq === head ? 0 : this.#behind
    this.#behind = 0
    this.#mark = head
  }
}
