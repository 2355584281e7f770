import type { Emitter, Topics } from 'eventwire/server'
import { createDecoder, type DecoderOptions } from 'eventwire/wire'
import type { Market } from './market.ts'

/** What a client makes of what it hears. */
export interface PullerListener extends Pick<DecoderOptions, 'onMessage' | 'onCursor'> {
  /** Whence it resumes. */
  readonly lastEventId: string | undefined
  /** It is connected, and what comes is of the new stream. */
  connected?(): void
  /** Before each read: a stream is attached when it is read for the first time. */
  reads?(): void
}

/** A client that reads only when it is told to, a chunk at a time, and resumes when its stream is over. */
export class Puller {
  /** The first thing that should not have been. */
  failure: unknown
  #decoder = createDecoder({ onMessage: () => {} })
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  #reading = false

  constructor(
    readonly emitter: Emitter<Market>,
    readonly topics: Topics,
    readonly listener: PullerListener,
  ) {}

  /** Asks for what comes next, unless that is still awaited. */
  async read(): Promise<void> {
    if (this.#reading) return
    this.#reading = true
    const reader = (this.#reader ??= await this.#connect())
    this.listener.reads?.()
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }))
    this.#reading = false
    if (reader !== this.#reader) return
    if (done) this.#reader = undefined
    else this.#take(value!)
  }

  leave(): void {
    // It rejects when the stream was cut.
    this.#reader?.cancel().catch(() => {})
    this.#reader = undefined
    this.#reading = false
  }

  #take(chunk: Uint8Array): void {
    try {
      this.#decoder.push(chunk)
    } catch (error) {
      this.failure ??= error
    }
  }

  async #connect(): Promise<ReadableStreamDefaultReader<Uint8Array>> {
    const { listener } = this
    const { lastEventId } = listener
    const headers = lastEventId === undefined ? {} : { 'last-event-id': lastEventId }
    const response = await this.emitter.handle(new Request('http://localhost/', { headers }), { topics: this.topics })
    listener.connected?.()
    this.#decoder = createDecoder({
      lastEventId,
      onCursor: (id) => listener.onCursor?.(id),
      onMessage: (message) => listener.onMessage(message),
    })
    return response.body!.getReader()
  }
}

/** Long enough for what was emitted to be written, and what was written to be read. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise(setImmediate)
}
