import type { Connection, EmitterOptions } from 'eventwire/server'
import type { Market } from './market.ts'

/** The open connections of an emitter, as its hooks tell of them. */
export interface Watch {
  readonly connections: Set<Connection<Market>>
  /** The options, with hooks that tell. */
  readonly options: EmitterOptions<Market>
  /** Looks again. */
  change(): void
  /** Waits until `test` holds; looks after each change. */
  until(test: () => boolean): Promise<void>
  /** Waits until `count` connections are open. */
  connected(count: number): Promise<void>
}

/** Watches the emitter that is made with the options that this gives. The hooks of those that were given are called too. */
export function watch(given: EmitterOptions<Market>): Watch {
  const connections = new Set<Connection<Market>>()
  let changed = Promise.withResolvers<void>()
  const change = (): void => {
    changed.resolve()
    changed = Promise.withResolvers()
  }
  const until = async (test: () => boolean): Promise<void> => {
    while (!test()) await changed.promise
  }
  const options: EmitterOptions<Market> = {
    ...given,
    onConnect(connection) {
      connections.add(connection)
      change()
      return given.onConnect?.(connection)
    },
    onDisconnect(connection) {
      connections.delete(connection)
      change()
      return given.onDisconnect?.(connection)
    },
  }
  return { connections, options, change, until, connected: (count) => until(() => connections.size === count) }
}
