import type { RequestListener } from 'node:http'
import { onTestFinished } from 'vitest'
import { createEmitter, type Connection, type Emitter, type EmitterOptions } from 'eventwire/server'
import { market, type Market } from '../../support/market.ts'
import { serve, type Served } from '../../support/serve.ts'
import type { WAYS } from '../../support/ways.ts'

export interface ServedCompressed extends Served {
  readonly emitter: Emitter<Market>
  readonly connections: Set<Connection<Market>>
}

/** An emitter that compresses, behind a real server, reached in one of both ways. `?topic=` names topics. */
export async function serveCompressed(
  listener: (typeof WAYS)[number][1],
  options: EmitterOptions<Market> = {},
  around: (listener: RequestListener) => RequestListener = (it) => it,
): Promise<ServedCompressed> {
  const connections = new Set<Connection<Market>>()
  const emitter = createEmitter(market, {
    compression: 'shared',
    connect: (request) => ({ topics: new URL(request.url).searchParams.getAll('topic') }),
    ...options,
    onConnect(connection) {
      connections.add(connection)
      return options.onConnect?.(connection)
    },
    onDisconnect: (connection) => void connections.delete(connection),
  })
  onTestFinished(() => emitter.close())
  return { ...(await serve(around(listener(emitter)))), emitter, connections }
}
