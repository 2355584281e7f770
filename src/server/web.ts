import { EventwireError } from '../errors.ts'
import type { Answer, AnswerHeaders } from './http.ts'
import type { Attach, Sink, SinkListener } from './sink.ts'

const NULL_BODY = new Set([101, 204, 205, 304])

/** Cloudflare's Workers would encode a body as its `content-encoding` says, were they not told that it is. Others do not know the word. */
const AS_IT_IS: object = { encodeBody: 'manual' }

/** The response for web runtimes. */
export function webResponse({ status, headers, body }: Answer, request: Request, highWaterMark: number): Response {
  const init = { status, headers: webHeaders(headers), ...AS_IT_IS }
  if (typeof body === 'function') return new Response(streamOf(body, request, highWaterMark), init)
  return new Response(body === '' || NULL_BODY.has(status) ? null : body, init)
}

/**
 * The body of a stream. It attaches when it is first read, so a response that nobody reads leaves nothing behind, and
 * `pull` is the drain: with a high-water mark of 0 it is called when a reader waits and the stream is empty.
 *
 * It holds on to the request: on node the signal of a request that has become garbage does not abort any more.
 */
function streamOf(attach: Attach, request: Request, highWaterMark: number): ReadableStream<Uint8Array> {
  let attached: { readonly sink: WebSink; readonly connection: SinkListener } | undefined
  let leave = (): void => {}
  const over = (): void => {
    request.signal.removeEventListener('abort', leave)
    attached?.connection.gone()
  }
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (attached) return attached.sink.pulled(attached.connection)
        if (request.signal.aborted) return controller.close()
        const sink = new WebSink(controller, highWaterMark, over)
        // Quietly: to a runtime, an error of the stream is one of the server.
        leave = () => sink.end()
        request.signal.addEventListener('abort', leave, { once: true })
        attached = { sink, connection: attach(sink) }
        attached.connection.opened()
      },
      cancel: over,
    },
    // Counted in chunks: a size function is called for every one, which on Deno costs more than all else here.
    { highWaterMark: 0 },
  )
}

class WebSink implements Sink {
  readonly #controller: ReadableStreamDefaultController<Uint8Array>
  readonly #highWaterMark: number
  readonly #over: () => void
  /** What the reader has yet to take, or had when that was looked at last. */
  readonly #given: Chunk[] = []
  /** Ends the pull that is held open. */
  #resolve = (): void => {}

  constructor(controller: ReadableStreamDefaultController<Uint8Array>, highWaterMark: number, over: () => void) {
    this.#controller = controller
    this.#highWaterMark = highWaterMark
    this.#over = over
  }

  get buffered(): number {
    return sizeOf(this.#given, this.#queued)
  }

  write(bytes: Uint8Array): boolean {
    // It may have lost what it had yet to read: its client has to resume.
    if (this.#given.some(isTaken)) {
      queueMicrotask(() => this.destroy())
      return false
    }
    this.#forget()
    const chunk = chunkOf(bytes)
    this.#given.push(chunk)
    this.#controller.enqueue(chunk.bytes)
    if (this.#hasRoom) return true
    this.#resolve()
    return false
  }

  end(): void {
    this.#controller.close()
    this.#over()
  }

  destroy(): void {
    // An error, where closing would keep what is queued until it is read.
    this.#controller.error(new EventwireError('timeout', 'The stream was cut: its client had stopped reading, or the server is closing.'))
    this.#over()
  }

  /** The reader waits. While there is room the pull is held open, or it would come again for each chunk. */
  pulled(connection: SinkListener): Promise<void> | undefined {
    connection.drained()
    return this.#hasRoom ? new Promise((resolve) => (this.#resolve = resolve)) : undefined
  }

  get #hasRoom(): boolean {
    return sizeOf(this.#given, this.#given.length) < this.#highWaterMark || this.buffered < this.#highWaterMark
  }

  /** How many chunks the reader has yet to take. */
  get #queued(): number {
    return -(this.#controller.desiredSize ?? 0)
  }

  /** Lets go of what the reader has taken. */
  #forget(): void {
    const queued = this.#given.length > 0 ? this.#queued : 0
    if (queued === 0) this.#given.length = 0
    else this.#given.splice(0, this.#given.length - queued)
  }
}

/** The bytes of the last `count` chunks. */
function sizeOf(chunks: readonly Chunk[], count: number): number {
  let size = 0
  for (let i = chunks.length - count; i < chunks.length; i++) size += chunks[i]!.bytes.byteLength
  return size
}

/**
 * A copy of bytes as it is handed to readers. They own what they get, and one may transfer it, as a stream of type `bytes` does with what
 * it is fed: never the log's own memory.
 */
interface Chunk {
  readonly bytes: Uint8Array
  shared: boolean
}

/** One copy for all who are sent the same bytes: until the first time that a reader has taken one away. */
let sharing = true
let latest: { readonly source: Uint8Array; readonly chunk: Chunk } | undefined

function chunkOf(source: Uint8Array): Chunk {
  if (sharing && latest?.source === source) {
    latest.chunk.shared = true
    return latest.chunk
  }
  const chunk = { bytes: source.slice(), shared: false }
  latest = { source, chunk }
  return chunk
}

/** Whether a chunk was taken away that others were sent too. From then on each is given a copy. */
function isTaken({ bytes, shared }: Chunk): boolean {
  const taken = bytes.byteLength === 0
  if (taken) sharing = false
  return taken && shared
}

function webHeaders(headers: AnswerHeaders): Headers {
  const result = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    for (const one of typeof value === 'string' ? [value] : value) result.append(name, one)
  }
  return result
}
