// Its events can be resumed, as those of the others can: with connection state recovery, each is sent with its id in Redis.
import { createServer } from 'node:http'
import { createAdapter } from '@socket.io/redis-streams-adapter'
import { createClient } from 'redis'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import { listening, type Node, type Trade } from '../peer.ts'

/** The type of a packet that carries an event. */
const EVENT = 2

export async function join(redis: string): Promise<Node> {
  const client = await createClient({ url: redis }).on('error', console.error).connect()
  const server = createServer()
  const sockets = new Server(server, { adapter: createAdapter(client), connectionStateRecovery: {} })
  const { name: nsp, adapter } = sockets.of('/')
  return {
    // What `emit` does, which gives no promise. That of this adapter does, whatever its type says: it resolves once it has the id that Redis gave the event.
    publish: (trade) =>
      Promise.resolve(adapter.broadcast({ type: EVENT, data: ['trade', trade], nsp }, { rooms: new Set(), except: new Set() })),
    listen: () => listening(server),
  }
}

export async function subscribe(url: string, heard: (trade: Trade) => void): Promise<void> {
  const socket = io(url, { transports: ['websocket'] })
  await new Promise<void>((resolve) => socket.once('connect', resolve))
  socket.on('trade', heard)
}
