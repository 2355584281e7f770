import { createParser } from 'eventsource-parser'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { createSubscriber } from '../../dist/client.js'
import { market, type MarketEvent } from './events.ts'
import { READY } from './stream.ts'

/** A fetch that a reader reads from. */
export type Fetch = () => Promise<Response>

/** A way from bytes to a handler that gets validated data. */
export interface Reader {
  readonly name: string
  /** Reads until `handle` says that it has had enough; then the stream is let go of. */
  read(fetch: Fetch, event: MarketEvent, handle: (data: unknown) => boolean): Promise<void>
}

/** The parts that every reader needs, put together by hand: what the subscriber is measured against. */
export const plain: Reader = {
  name: 'plain pipeline',
  async read(fetch, _event, handle) {
    const body = (await fetch()).body!.getReader()
    const decoder = new TextDecoder()
    let over = false
    const parser = createParser({
      onEvent({ event, data }) {
        if (event !== READY) over = handle(accept(event, data))
      },
    })
    while (!over) {
      const { done, value } = await body.read()
      if (done) break
      parser.feed(decoder.decode(value, { stream: true }))
    }
    await body.cancel()
  },
}

export const eventwire: Reader = {
  name: 'eventwire',
  async read(fetch, event, handle) {
    const subscriber = createSubscriber(market, 'http://bench.invalid/', { fetch, limits: { eventBytes: 64 << 20 } })
    subscriber.on(event, (data) => {
      if (handle(data)) subscriber.close()
    })
    const { error } = await subscriber.closed
    if (error) throw error
  },
}

/** The parser's own transform stream. */
export const parserStream: Reader = {
  name: 'EventSourceParserStream',
  async read(fetch, _event, handle) {
    const events = (await fetch()).body!.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream())
    for await (const { event, data } of events) if (event !== READY && handle(accept(event, data))) break
  },
}

/** JSON.parse and the schema, as an application writes it that has no library for it. */
function accept(event: string | undefined, data: string): unknown {
  const result = market.schemas[event as MarketEvent]['~standard'].validate(JSON.parse(data))
  if ('value' in result) return result.value
  throw new Error(`refused: ${event}`)
}
