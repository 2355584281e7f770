import type { ServerResponse } from 'node:http'
import type { Emitter } from 'eventwire/server'
import { problem } from './answer.ts'
import type { events } from './events.ts'
import type { Handler } from './router.ts'

/** How long a page that was cut is refused, in ms: long enough to watch, and for several attempts. */
const OUTAGE = 4_000

/** The streams, which a page can have cut as a failing network would. */
export interface Streams {
  /** GET: a stream of all events. `?page=` says whose it is. */
  readonly open: Handler
  /** POST: cuts the streams of `?page=`, and refuses it for a while. */
  readonly cut: Handler
}

export function createStreams(emitter: Emitter<typeof events>): Streams {
  const pages = new Map<ServerResponse, string>()
  const refused = new Set<string>()
  return {
    open(request, response, query) {
      const page = query.get('page')
      if (page && refused.has(page)) {
        return problem(response, 503, 'This page asked to be cut off. Its stream is back within seconds.', { 'retry-after': '1' })
      }
      if (page) {
        pages.set(response, page)
        response.on('close', () => pages.delete(response))
      }
      emitter.handleNode(request, response)
    },

    cut(_request, response, query) {
      const page = query.get('page') ?? ''
      const streams = [...pages.keys()].filter((stream) => pages.get(stream) === page)
      if (streams.length === 0) return problem(response, 404, 'There is no open stream of this page to cut.')
      refused.add(page)
      setTimeout(() => refused.delete(page), OUTAGE).unref()
      // In mid-stream: without the end of its response, and without what its socket still holds.
      for (const stream of streams) stream.destroy()
      response.writeHead(204).end()
    },
  }
}
