import { EventwireError } from '../errors.ts'

/** What is used of a client of the package `redis`. */
export interface RedisClient {
  connect(): Promise<unknown>
  /** Makes another one with the same options but those given, not connected. */
  duplicate(overrides?: { disableOfflineQueue: boolean }): RedisClient
  /** Closes its connection at once. Throws when that is closed. */
  destroy(): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  sendCommand(args: readonly string[]): Promise<unknown>
}

/** What is used of a cluster of the package `redis`. */
export interface RedisCluster {
  /** Tells it apart from a {@link RedisClient}. */
  readonly masters: readonly unknown[]
  connect(): Promise<unknown>
  duplicate(): RedisCluster
  destroy(): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  sendCommand(firstKey: string | undefined, isReadonly: boolean | undefined, args: string[]): Promise<unknown>
}

/** What is used of a client of the package `redis` that asks sentinels for the primary. */
export interface RedisSentinel {
  /** Tells it apart from the others. */
  getSentinelNode(): unknown
  connect(): Promise<unknown>
  duplicate(): RedisSentinel
  destroy(): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  sendCommand(isReadonly: boolean | undefined, args: string[]): Promise<unknown>
}

/** Any client that `redisLog` takes. */
export type AnyRedis = RedisClient | RedisCluster | RedisSentinel

/** Makes a client of our own: nobody else waits behind what it is asked. */
export type MakeClient = () => Promise<AnyRedis>

/** Makes clients for a url. Throws `invalid-option` where the package `redis` is not installed. */
export function clientsOf(url: string): MakeClient {
  return async () => {
    const { createClient } = await import('redis').catch((cause: unknown) => {
      throw new EventwireError('invalid-option', 'redisLog: a url needs the package redis, version 5 or 6. Install it: npm install redis', {
        cause,
      })
    })
    // One that is broken is replaced.
    return createClient({ url, ...AT_ONCE, commandOptions: NO_TIMEOUT, socket: { reconnectStrategy: false } })
  }
}

/** Makes clients like one that was given. */
export function clientsLike(client: AnyRedis): MakeClient {
  return () => Promise.resolve(isSingle(client) ? client.duplicate(AT_ONCE) : client.duplicate())
}

/** Its own would be a timer for each command; there is one here already. */
const NO_TIMEOUT = { timeout: 0 }

/** Nothing is kept for later: what cannot be sent now is not sent. */
const AT_ONCE = { disableOfflineQueue: true }

/** Sends a command about one key. */
export function command(client: AnyRedis, key: string, args: string[]): Promise<unknown> {
  if ('masters' in client) return client.sendCommand(key, false, args)
  return isSingle(client) ? client.sendCommand(args) : client.sendCommand(false, args)
}

/** Closes it at once, in whatever state it is. */
export async function destroy(client: AnyRedis): Promise<void> {
  try {
    await client.destroy()
  } catch {
    // It was closed before.
  }
}

function isSingle(client: AnyRedis): client is RedisClient {
  return !('masters' in client) && !('getSentinelNode' in client)
}
