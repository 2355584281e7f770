import type { RequestListener } from 'node:http'
import { onTestFinished } from 'vitest'
import { createEmitter, type Connection, type Emitter, type EmitterOptions, type HandleOptions } from 'eventwire/server'
import { market, type Market } from './market.ts'
import { serve, type Served } from './serve.ts'
import { watch } from './watch.ts'

export interface ServedEmitter extends Served {
  readonly emitter: Emitter<Market>
  /** The open connections, as the hooks tell of them. */
  readonly connections: Set<Connection<Market>>
  /** Waits until `count` connections are open. */
  connected(count: number): Promise<void>
}

/**
 * An emitter of the market behind a real HTTP server. `?topic=` names topics, `?topic=*` all of them; both are gone at the
 * end of the test, and with them every connection: that is checked. `others` answers whatever else is asked for.
 */
export async function serveEmitter(options: EmitterOptions<Market> = {}, others?: RequestListener): Promise<ServedEmitter> {
  const { connections, connected, options: watched } = watch(options)
  const emitter = createEmitter(market, watched)
  const served = await serve((request, response) => {
    if (others && !request.url?.startsWith('/events')) others(request, response)
    else emitter.handleNode(request, response, topicsOf(request.url))
  })
  onTestFinished(async () => {
    await emitter.close()
    if (connections.size > 0) throw new Error(`${connections.size} connections were left behind.`)
  })
  return { ...served, emitter, connections, connected }
}

function topicsOf(url = ''): HandleOptions {
  const topics = new URLSearchParams(url.split('?')[1]).getAll('topic')
  return topics.length === 0 ? {} : { topics: topics.includes('*') ? '*' : topics }
}
