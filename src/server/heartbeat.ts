import { nextTurn, Slice } from './slice.ts'

/** What is given signs of life. */
export interface Beating {
  /** Time for a sign of life, or to end what has been stalled for `stallTimeout` ms. */
  beat(stallTimeout: number): void
}

/** The open connections, and the one timer of all their heartbeats. */
export class Heartbeat<T extends Beating> {
  readonly connections = new Set<T>()
  #timer: ReturnType<typeof setInterval> | undefined
  /** The round that is under way: those who have yet to have their turn. */
  #round: SetIterator<T> | undefined

  constructor(
    readonly interval: number,
    readonly stallTimeout: number,
  ) {}

  add(connection: T): void {
    this.connections.add(connection)
    this.#timer ??= setInterval(() => this.#begin(), this.interval)
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

  #begin(): void {
    if (this.#round) return
    this.#round = this.connections.values()
    this.#beat(this.#round)
  }

  #beat(round: SetIterator<T>): void {
    if (new Slice().each(round, (connection) => this.#beatOne(connection))) this.#round = undefined
    else nextTurn(() => this.#beat(round))
  }

  /** One that throws takes nothing from the others; it is said as what nobody has caught. */
  #beatOne(connection: T): void {
    try {
      connection.beat(this.stallTimeout)
    } catch (error) {
      queueMicrotask(() => {
        throw error
      })
    }
  }
}
