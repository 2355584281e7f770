import { EventwireError } from '../errors.ts'
import { proceed, recover, type Awaitable } from '../awaitable.ts'
import type { Answer } from './http.ts'
import { webIncoming, type Incoming } from './incoming.ts'
import { hasLeft, isEncoded, Departure, nodeResponse, refusePipelined, type NodeResponse } from './node.ts'
import { nodeIncoming, type NodeRequest } from './node-request.ts'
import type { Report } from './report.ts'
import { webResponse } from './web.ts'

/** The two ways in. */
export interface Handlers<Given> {
  /** Answers a web request: Hono, Next.js, Bun, Deno, Workers. Never rejects. */
  handle(request: Request, given?: Given): Promise<Response>
  /** Answers on node: `node:http`, `node:http2`, and frameworks that show the `req` and `res` beneath. Never throws. */
  handleNode(request: NodeRequest, response: NodeResponse, given?: Given): void
}

/** Makes both ways in from one function that never fails. */
export function createHandlers<Given>(
  respond: (incoming: Incoming, given: Given | undefined) => Awaitable<Answer>,
  highWaterMark: number,
  report: Report,
  detach = false,
): Handlers<Given> {
  const respondNode = (request: NodeRequest, response: NodeResponse, given: Given | undefined): Awaitable<void> => {
    if (hasLeft(response)) return
    const departure = new Departure(response)
    const answer = refusePipelined(response) ?? respond(nodeIncoming(request, isEncoded(response), departure), given)
    return proceed(answer, (it) => {
      departure.settle()
      nodeResponse(it, response, highWaterMark, detach)
    })
  }

  return {
    async handle(request, given) {
      if (typeof request?.headers?.get !== 'function') {
        report(new EventwireError('invalid-option', 'handle takes a Request of the web. On node there is handleNode(request, response).'))
        return new Response(null, { status: 500 })
      }
      return webResponse(await respond(webIncoming(request), given), request, highWaterMark)
    },

    handleNode(request, response, given) {
      if (typeof response?.writeHead !== 'function') {
        report(
          new EventwireError(
            'invalid-option',
            'handleNode takes the request and the response of node. On the web there is handle(request).',
          ),
        )
        return
      }
      void recover(
        () => respondNode(request, response, given),
        (error) => {
          // Somebody else has answered already.
          report(error)
          response.destroy()
        },
      )
    },
  }
}
