/** Which events of a log a newer one of the same key replaces. */
export class Latest {
  readonly #keys = new Map<number, string>()
  readonly #newest = new Map<string, number>()

  set(seq: number, key: string): void {
    this.#keys.set(seq, key)
    this.#newest.set(key, seq)
  }

  /** Whether there is a newer event of the key of this one. */
  replaced(seq: number): boolean {
    const key = this.#keys.get(seq)
    return key !== undefined && this.#newest.get(key) !== seq
  }

  /** Forgets an event that the log no longer holds. */
  delete(seq: number): void {
    const key = this.#keys.get(seq)
    if (key === undefined) return
    this.#keys.delete(seq)
    if (this.#newest.get(key) === seq) this.#newest.delete(key)
  }
}
