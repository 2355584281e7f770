import { createServer } from 'node:http'
import { consumeEventIterator, createORPCClient } from '@orpc/client'
import { RPCLink } from '@orpc/client/fetch'
import { IORedisPublisher } from '@orpc/experimental-publisher/ioredis'
import { os, type RouterClient } from '@orpc/server'
import { RPCHandler } from '@orpc/server/node'
import { Redis } from 'ioredis'
import { listening, type Node, type Trade } from '../peer.ts'

/** With which its events can be resumed. */
const RETENTION_SECONDS = 600

function routerOf(publisher: IORedisPublisher<{ trade: Trade }>) {
  const trades = os.handler(async function* ({ signal }) {
    yield* publisher.subscribe('trade', signal ? { signal } : {})
  })
  return { trades }
}

export function join(url: string): Node {
  const publisher = new IORedisPublisher<{ trade: Trade }>({
    commander: new Redis(url),
    listener: new Redis(url),
    resumeRetentionSeconds: RETENTION_SECONDS,
  })
  const handler = new RPCHandler(routerOf(publisher))
  return {
    publish: (trade) => publisher.publish('trade', trade),
    listen: () => listening(createServer((request, response) => void handler.handle(request, response, { context: {} }))),
  }
}

export function subscribe(url: string, heard: (trade: Trade) => void): void {
  const client: RouterClient<ReturnType<typeof routerOf>> = createORPCClient(new RPCLink({ url }))
  consumeEventIterator(client.trades(), { onEvent: heard, onError: console.error })
}
