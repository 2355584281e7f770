import { stir } from './calm.ts'

/** The bytes of a response. */
export type Bytes = Uint8Array<ArrayBuffer>

/** How a link is carried. */
export interface LinkRules {
  /** Whether it is a stream of events; what else there is may be left unread. */
  readonly isStream: boolean
  /** A promise to wait for before bytes go on; `undefined` when they may. */
  readonly passage: () => Promise<void> | undefined
  readonly onOver: (link: Link) => void
  /** The client is gone, before the end. */
  readonly onLeft: () => void
}

let open = 0

/** How many streams of events are open, of all test servers. */
export function openStreams(): number {
  return open
}

/** Carries the body of one response from the server to the client, as fast as that reads it. */
export class Link {
  readonly body: ReadableStream<Bytes>
  readonly isStream: boolean
  readonly #source: ReadableStreamDefaultReader<Bytes>
  readonly #rules: LinkRules
  /** Given at once, when `body` is made. */
  #controller!: ReadableStreamDefaultController<Bytes>
  /** How many bytes more get through, and why no more do. */
  #left = Infinity
  #reason: unknown
  #over = false

  constructor(source: ReadableStream<Bytes>, rules: LinkRules) {
    this.#source = source.getReader()
    this.#rules = rules
    this.isStream = rules.isStream
    this.body = new ReadableStream<Bytes>(
      {
        start: (controller) => void (this.#controller = controller),
        pull: () => this.#pull(),
        cancel: (reason) => this.#leave(reason),
      },
      { highWaterMark: 0 },
    )
    if (this.isStream) open++
  }

  /** Breaks it, once so many bytes more have got through. */
  cut(reason: unknown, after = 0): void {
    if (this.#over) return
    this.#left = after
    this.#reason = reason
    if (after === 0) this.#break()
  }

  async #pull(): Promise<void> {
    const { done, value } = await this.#read()
    stir()
    await this.#rules.passage()
    if (this.#over) return
    if (done) {
      this.#end()
      this.#controller.close()
      return
    }
    this.#controller.enqueue(value.subarray(0, this.#left))
    this.#left -= value.byteLength
    if (this.#left <= 0) this.#break()
  }

  async #read(): Promise<ReadableStreamReadResult<Bytes>> {
    try {
      return await this.#source.read()
    } catch (error) {
      // The server has broken it off.
      this.#end()
      throw error
    }
  }

  #break(): void {
    this.#controller.error(this.#reason)
    this.#leave(this.#reason)
  }

  #leave(reason: unknown): void {
    this.#end()
    // A server that has broken it off need not be told.
    this.#source.cancel(reason).catch(() => {})
    this.#rules.onLeft()
  }

  #end(): void {
    if (this.#over) return
    this.#over = true
    if (this.isStream) open--
    stir()
    this.#rules.onOver(this)
  }
}
