import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { createEmitter, type Connection, type Emitter, type EmitterOptions } from 'eventwire/server'
import { market, type Market } from '../../support/market.ts'
import { serve } from '../../support/serve.ts'
import { watch } from '../../support/watch.ts'

export interface Around {
  readonly port: number
  readonly server: Server
  readonly emitter: Emitter<Market>
  /** The open connections, oldest first. */
  readonly connections: Set<Connection<Market>>
  /** The responses that were given to `handleNode`, oldest first. */
  readonly responses: ServerResponse[]
  /** The server's ends of its connections, oldest first. */
  readonly sockets: Socket[]
  /** Waits until `count` connections are open. */
  connected(count: number): Promise<void>
}

/** What stands around `handleNode`: calls `answer`, at any time, with the response that it is to get. */
export type Surroundings = (request: IncomingMessage, response: ServerResponse, answer: (response?: ServerResponse) => void) => void

/**
 * An emitter behind a real server, with something around it. `/plain` is an ordinary request. All connections are gone at the end of the
 * test, and nothing was complained of: that is checked.
 */
export async function serveAround(
  around: Surroundings = (_request, _response, answer) => answer(),
  options: EmitterOptions<Market> = {},
): Promise<Around> {
  const { emitter, connections, connected } = watchedEmitter(options)
  const responses: ServerResponse[] = []
  const sockets: Socket[] = []
  const { server, port } = await serve((request, response) => {
    const answer = (given = response): void => {
      responses.push(given)
      emitter.handleNode(request, given)
    }
    if (request.url === '/plain') response.end('plain')
    else around(request, response, answer)
  })
  server.on('connection', (socket: Socket) => sockets.push(socket))
  return { port, server, emitter, connections, responses, sockets, connected }
}

/** An emitter whose connections are all gone at the end of the test, and which had nothing to complain of. */
export function watchedEmitter(options: EmitterOptions<Market> = {}): Pick<Around, 'emitter' | 'connections' | 'connected'> {
  const { connections, connected, options: watched } = watch(options)
  const errors: unknown[] = []
  const emitter = createEmitter(market, { ...watched, onError: (error) => errors.push(error) })
  onTestFinished(async () => {
    await emitter.close()
    if (connections.size > 0) throw new Error(`${connections.size} connections were left behind.`)
    if (errors.length > 0) throw errors[0]
  })
  return { emitter, connections, connected }
}

/** How many listen on a socket of the server, to what matters to a stream. */
export function listenersOf(socket: Socket): Record<string, number> {
  return Object.fromEntries(['drain', 'close', 'error', 'finish', 'end', 'data'].map((name) => [name, socket.listenerCount(name)]))
}
