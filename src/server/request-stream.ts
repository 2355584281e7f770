import type { Ready } from '../wire/control.ts'
import { encode } from '../wire/encode.ts'
import { COMMENT, endBlock, readyBlock } from './control.ts'
import type { Heartbeat } from './heartbeat.ts'
import { pump, whenRoom, type Source } from './pump.ts'
import type { Sink, SinkListener } from './sink.ts'
import { Transport } from './transport.ts'

/** What a stream of its own is made of. */
export interface RequestStreamRules<T> {
  readonly ready: Ready
  /** The reconnection time to ask for, in ms. */
  readonly retry: number | undefined
  readonly source: (signal: AbortSignal) => Source<T> | Promise<Source<T>>
  readonly encodeItem: (item: T) => Promise<string>
  /** The block that tells the client of a failure; `undefined` when it is not told, and will try again. Never rejects. */
  readonly encodeFailure: (error: unknown) => Promise<string | undefined>
  readonly onGone: () => void
}

/** One open stream that is fed by a source of its own. */
export class RequestStream<T> implements SinkListener {
  readonly transport: Transport
  /** Aborts when the source is to come to an end: the client has left, or the server is closing. */
  readonly #asked = new AbortController()
  /** Aborts when nothing more will be written. */
  readonly #over = new AbortController()
  /** The reconnection time to leave the client with when the server is closing. */
  #closingRetry: number | undefined

  constructor(
    readonly heartbeat: Heartbeat<RequestStream<T>>,
    sink: Sink,
    readonly rules: RequestStreamRules<T>,
  ) {
    this.transport = new Transport(sink)
    heartbeat.add(this)
  }

  opened(): void {
    this.transport.write(readyBlock(this.rules.ready, this.rules.retry))
    void this.#run()
  }

  drained(): void {
    this.transport.drained()
  }

  gone(): void {
    if (!this.heartbeat.remove(this)) return
    this.#asked.abort()
    this.#over.abort()
    this.transport.release()
    this.rules.onGone()
  }

  beat(stallTimeout: number): void {
    if (this.transport.stalled(stallTimeout)) this.destroy()
    else if (!this.transport.full && !this.#over.signal.aborted) this.transport.write(COMMENT)
  }

  /** Asks the source to come to its end. What it still yields is sent, if it may finish. */
  close(retry?: number, mayFinish = false): void {
    this.#closingRetry = retry
    this.#asked.abort()
    if (mayFinish) return
    if (this.transport.full) this.destroy()
    else void this.#end()
  }

  /** Ends the stream at once. */
  destroy(): void {
    this.transport.sink.destroy()
  }

  async #run(): Promise<void> {
    try {
      const { source, encodeItem } = this.rules
      const done = await pump(await source(this.#asked.signal), this.transport, this.#over.signal, encodeItem)
      // Asked to end early, it has not come to the end that the client waits for.
      if (done) await this.#end(this.#asked.signal.aborted ? undefined : endBlock({ reason: 'done' }))
    } catch (error) {
      // Who is asked to end may throw, as `fetch` does with an aborted signal.
      const told = this.#asked.signal.aborted ? undefined : await this.rules.encodeFailure(error)
      await this.#end(told && told + endBlock({ reason: 'done' }))
    }
  }

  async #end(last: string = this.#farewell()): Promise<void> {
    await whenRoom(this.transport, this.#over.signal, () => {
      if (last) this.transport.write(last)
      this.#over.abort()
      this.transport.end()
    })
  }

  #farewell(): string {
    return this.#closingRetry === undefined ? '' : encode({ retry: this.#closingRetry })
  }
}
