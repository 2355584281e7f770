import type { NodeRequest, NodeResponse } from 'eventwire/server'
import { serve } from './serve.ts'

/** What answers requests: emitters, streams, publish handlers. */
interface Answering {
  handle(request: Request): Promise<Response>
  handleNode(request: NodeRequest, response: NodeResponse): void
}

/** Asks for `/events`, with a query behind it where one is given. */
export type Ask = (init?: RequestInit, query?: string) => Promise<Response>

/** Both ways in as their users have them: a server of node that is asked with fetch, and a web Request that is handed over. */
export const ASKS: readonly (readonly [name: string, asking: (answering: Answering) => Promise<Ask>])[] = [
  [
    'over node',
    async (answering) => {
      const { url } = await serve((request, response) => answering.handleNode(request, response))
      return (init, query = '') => fetch(url + query, init)
    },
  ],
  ['over the web', async (answering) => (init, query) => answering.handle(new Request(`http://127.0.0.1/events${query ?? ''}`, init))],
]
