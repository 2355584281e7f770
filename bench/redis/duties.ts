/** What a run of appending has come to. */
export interface Appends {
  readonly events: number
  readonly seconds: number
  /** CPU time of the node, in microseconds. */
  readonly cpuUs: number
}

/** What has come to a subscriber, in ms from publishing. */
export interface Arrivals {
  readonly events: number
  readonly p50: number
  readonly p99: number
}

/** What a process of this suite does when it is told to. */
export interface Duties {
  /** Lets so many publishers, each with one event under way, publish for so long. */
  flat(load: { publishers: number; ms: number }): Promise<Appends>
  /** Publishes at a rate, for so long. Gives how many events. */
  fixed(load: { rate: number; ms: number }): Promise<number>
  /** Waits for so many events since the last call, or as long as it may. Gives what has come. */
  arrivals(wait: { events: number; ms: number }): Promise<Arrivals>
}
