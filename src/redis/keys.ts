/** The keys of one log. They share a hash tag, so a cluster has them in one place. */
export interface Keys {
  /** A stream: its events, with their `seq` as id. */
  readonly events: string
  /** A hash: its epoch, and the `seq` of its newest event. */
  readonly log: string
  /** What one writer has appended last. */
  writer(name: string): string
}

export function keysOf(key: string): Keys {
  const prefix = `eventwire:{${key}}:`
  return { events: `${prefix}events`, log: `${prefix}log`, writer: (name) => `${prefix}w:${name}` }
}
