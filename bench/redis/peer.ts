import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tradeAt } from '../inprocess/events.ts'
import { stamp } from './clock.ts'

/** The event that is published: six fields, 120 bytes of JSON. `at` is when, by `stamp()`. */
export type Trade = ReturnType<typeof tradeAt>

/** One of several that share a Redis. */
export interface Node {
  /** Publishes an event. Resolves once Redis has confirmed that it holds it. */
  publish(trade: Trade): Promise<unknown>
  /** Lets subscribers in. Gives the URL for them. */
  listen?(): Promise<string>
}

/** A module of peers/. */
export interface Peer {
  /** Makes a node that is ready to publish. */
  join(redis: string): Promise<Node> | Node
  /** Subscribes to a node at its URL; to Redis itself where nodes do not listen. */
  subscribe?(url: string, heard: (trade: Trade) => void): Promise<void> | void
}

/** An event that is published now. */
export function tradeNow(i: number): Trade {
  return { ...tradeAt(i), at: stamp() }
}

export async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
