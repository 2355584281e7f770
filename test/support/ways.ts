import { getRequestListener } from '@hono/node-server'
import type { RequestListener } from 'node:http'
import type { NodeRequest, NodeResponse } from 'eventwire/server'

/** What answers requests: emitters, streams, publish handlers. */
interface Answering {
  handle(request: Request): Promise<Response>
  handleNode(request: NodeRequest, response: NodeResponse): void
}

/** Both ways in, each as a listener of a real server of node. */
export const WAYS: readonly (readonly [name: string, listener: (answering: Answering) => RequestListener])[] = [
  ['handleNode', (answering) => (request, response) => answering.handleNode(request, response)],
  ['handle', (answering) => getRequestListener((request) => answering.handle(request))],
]
