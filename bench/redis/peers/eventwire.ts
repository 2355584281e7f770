import { createServer } from 'node:http'
import { createSubscriber } from '../../../dist/client.js'
import { createEmitter, type Log } from '../../../dist/server.js'
import { market } from '../../inprocess/events.ts'
import { listening, type Node, type Trade } from '../peer.ts'

/** A node of eventwire: publishes, and serves what is in its log. */
export function nodeOn(log: Log): Node {
  const emitter = createEmitter(market, { log })
  return {
    publish: (trade) => emitter.emit('trade', trade),
    listen: () => listening(createServer((request, response) => emitter.handleNode(request, response))),
  }
}

export function subscribe(url: string, heard: (trade: Trade) => void): void {
  createSubscriber(market, url).on('trade', heard)
}
