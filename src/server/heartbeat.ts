/** What is given signs of life. */
export interface Beating {
  /** Time for a sign of life, or to end what has been stalled for `stallTimeout` ms. */
  beat(stallTimeout: number): void
}

/** The open connections, and the one timer of all their heartbeats. */
export class Heartbeat<T extends Beating> {
  readonly connections = new Set<T>()
  #timer: ReturnType<typeof setInterval> | undefined

  constructor(
    readonly interval: number,
    readonly stallTimeout: number,
  ) {}

  add(connection: T): void {
    this.connections.add(connection)
    this.#timer ??= setInterval(() => this.#beat(), this.interval)
  }

  /** Forgets a connection, and with the last of them the timer. False when it was not there. */
  remove(connection: T): boolean {
    const found = this.connections.delete(connection)
    if (this.connections.size === 0) {
      clearInterval(this.#timer)
      this.#timer = undefined
    }
    return found
  }

  #beat(): void {
    for (const connection of this.connections) connection.beat(this.stallTimeout)
  }
}
