import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { problem } from './answer.ts'

export type Handler = (request: IncomingMessage, response: ServerResponse, query: URLSearchParams) => void | Promise<void>

/** The handlers of one path. GET answers HEAD, too. */
export interface Methods {
  readonly GET?: Handler
  readonly POST?: Handler
}

export type Routes = ReadonlyMap<string, Methods>

/** Finds the handler of each request by its path. Whatever a client sends, and whatever a handler throws, the server lives on. */
export function createRouter(routes: Routes): RequestListener {
  return (request, response) => {
    // A client that leaves while it is answered; without a listener that would end the process.
    response.on('error', () => {})
    void route(routes, request, response).catch((error: unknown) => {
      // Nobody is left to be told.
      if (response.destroyed || request.destroyed) return
      console.error(error)
      if (response.headersSent) response.destroy()
      else problem(response, 500, 'The server failed on this request. Its terminal says why.')
    })
  }
}

async function route(routes: Routes, request: IncomingMessage, response: ServerResponse): Promise<void> {
  // Not `new URL`: the target is what the client wrote, which need not parse.
  const [path = '', query] = (request.url ?? '').split('?', 2)
  const handlers = routes.get(path)
  if (!handlers) return problem(response, 404, 'There is nothing at this address. The page is at /, the stream at /events.')
  const method = request.method === 'HEAD' ? 'GET' : request.method
  const handler = method === 'GET' || method === 'POST' ? handlers[method] : undefined
  if (handler) return handler(request, response, new URLSearchParams(query))
  const allow = handlers.GET ? 'GET, HEAD' : 'POST'
  return problem(response, 405, `${request.method} is not possible here. Use ${allow.replace(',', ' or')}.`, { allow })
}
