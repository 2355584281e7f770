import { EventwireError } from '../errors.ts'
import { MAX_DELAY } from '../wire/decode.ts'
import type { Answer } from './http.ts'
import { problem } from './problem.ts'

/** Bounds of a body. */
export interface BodyLimits {
  readonly bytes: number
  /** In ms. */
  readonly timeout: number
}

/** The refusal of a request that does not say that it brings JSON: a page of another origin could send it without being asked. */
export function refuseType(request: Request): Answer | undefined {
  const type = request.headers.get('content-type')?.split(';')[0]!.trim().toLowerCase() ?? ''
  if (type !== 'application/json' && !/^application\/[\w.+-]+\+json$/.test(type)) {
    return problem(415, 'Send JSON, with content-type application/json.', {}, { accept: 'application/json' })
  }
  if ((request.headers.get('content-encoding') ?? 'identity') !== 'identity') {
    return problem(415, 'Send the body as it is, without content-encoding.', {}, { 'accept-encoding': 'identity' })
  }
  return undefined
}

/** Reads the JSON of a request, or says what is wrong with it. */
export async function readJson(request: Request, limits: BodyLimits): Promise<{ readonly value: unknown } | Answer> {
  if (Number(request.headers.get('content-length')) > limits.bytes) return tooLarge(limits.bytes)
  const read = await readBytes(request, limits)
  if ('status' in read) return read
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(read)) }
  } catch {
    return problem(400, 'The body is no JSON in UTF-8.')
  }
}

async function readBytes(request: Request, { bytes, timeout }: BodyLimits): Promise<Uint8Array | Answer> {
  if (request.bodyUsed) throw alreadyRead()
  const reader = request.body?.getReader()
  if (!reader) return new Uint8Array()
  const read = new GrowingBytes()
  let late = false
  // What it says on being cancelled concerns nobody: the answer is given.
  const leave = (): void => void reader.cancel().catch(() => {})
  const timer = setTimeout(
    () => {
      late = true
      leave()
    },
    Math.min(timeout, MAX_DELAY),
  )
  try {
    for (;;) {
      const { done, value } = await reader.read()
      // Closed: who knows when the rest of it comes.
      if (late) return problem(408, `The body took more than ${timeout} ms.`, {}, { connection: 'close' })
      if (done) return read.whole
      if (read.length + value.byteLength > bytes) {
        leave()
        return tooLarge(bytes)
      }
      read.push(value)
    }
  } catch (error) {
    if (error instanceof EventwireError) throw error
    return problem(400, 'The body broke off.')
  } finally {
    clearTimeout(timer)
  }
}

/** A mistake of the application, not of the client. */
export function alreadyRead(): EventwireError {
  return new EventwireError('invalid-option', 'The body of this request was read before. Hand over what was read, as { body }.')
}

/** Bytes that come in pieces. Not a list of them: pieces of one byte would take a hundred each. */
class GrowingBytes {
  #bytes = new Uint8Array(1 << 10)
  length = 0

  get whole(): Uint8Array {
    return this.#bytes.subarray(0, this.length)
  }

  push(piece: Uint8Array): void {
    const length = this.length + piece.byteLength
    if (length > this.#bytes.byteLength) {
      const grown = new Uint8Array(Math.max(length, 2 * this.#bytes.byteLength))
      grown.set(this.whole)
      this.#bytes = grown
    }
    this.#bytes.set(piece, this.length)
    this.length = length
  }
}

function tooLarge(bytes: number): Answer {
  return problem(413, `The body takes more than ${bytes} bytes.`)
}
