import { createParser } from 'eventsource-parser'
import { EventSourceParserStream } from 'eventsource-parser/stream'
import { createSubscriber } from '../../dist/client.js'
import { market, type MarketEvent } from './events.ts'

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
        over = handle(accept(event, data))
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
    for await (const { event, data } of events) if (handle(accept(event, data))) break
  },
}

/** The libraries that are installed here: they are measured beside, and missed by nobody. */
export async function peers(): Promise<Reader[]> {
  const found = await Promise.all([eventSource(), eventSourceClient()])
  return found.filter((reader) => reader !== undefined)
}

interface EventSourceModule {
  EventSource: new (
    url: string,
    init: { fetch: Fetch },
  ) => { addEventListener(event: string, handle: (message: { data: string }) => void): void; close(): void }
}

async function eventSource(): Promise<Reader | undefined> {
  const found = await installed<EventSourceModule>('eventsource')
  return (
    found && {
      name: 'eventsource',
      read: (fetch, event, handle) =>
        new Promise((resolve) => {
          const source = new found.EventSource('http://bench.invalid/', { fetch })
          source.addEventListener(event, ({ data }) => {
            if (!handle(accept(event, data))) return
            source.close()
            resolve()
          })
        }),
    }
  )
}

interface EventSourceClientModule {
  createEventSource(options: { url: string; fetch: Fetch; onMessage: (message: { event?: string; data: string }) => void }): {
    close(): void
  }
}

async function eventSourceClient(): Promise<Reader | undefined> {
  const found = await installed<EventSourceClientModule>('eventsource-client')
  return (
    found && {
      name: 'eventsource-client',
      read: (fetch, _event, handle) =>
        new Promise((resolve) => {
          const source = found.createEventSource({
            url: 'http://bench.invalid/',
            fetch,
            onMessage({ event, data }) {
              if (!handle(accept(event, data))) return
              source.close()
              resolve()
            },
          })
        }),
    }
  )
}

async function installed<Module>(name: string): Promise<Module | undefined> {
  try {
    return (await import(name)) as Module
  } catch {
    return undefined
  }
}

/** JSON.parse and the schema, as an application writes it that has no library for it. */
function accept(event: string | undefined, data: string): unknown {
  const result = market.schemas[event as MarketEvent]['~standard'].validate(JSON.parse(data))
  if ('value' in result) return result.value
  throw new Error(`refused: ${event}`)
}
