import type { Answer } from './http.ts'
import { problem } from './problem.ts'

/** Bounds of a body. */
export interface BodyLimits {
  readonly bytes: number
  /** In ms. */
  readonly timeout: number
}

/** Reads the JSON of a request, or says what is wrong with it. */
export async function readJson(request: Request, limits: BodyLimits): Promise<{ readonly value: unknown } | Answer> {
  const type = request.headers.get('content-type')?.split(';')[0]!.trim().toLowerCase() ?? ''
  if (type !== 'application/json' && !/^application\/[\w.+-]+\+json$/.test(type)) {
    return problem(415, 'Send JSON, with content-type application/json.', {}, { accept: 'application/json' })
  }
  if ((request.headers.get('content-encoding') ?? 'identity') !== 'identity') {
    return problem(415, 'Send the body as it is, without content-encoding.', {}, { 'accept-encoding': 'identity' })
  }
  if (Number(request.headers.get('content-length')) > limits.bytes) return tooLarge(limits)
  const read = await readBytes(request, limits)
  if ('status' in read) return read
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(read)) }
  } catch {
    return problem(400, 'The body is no JSON in UTF-8.')
  }
}

async function readBytes(request: Request, limits: BodyLimits): Promise<Uint8Array | Answer> {
  const reader = request.body?.getReader()
  if (!reader) return new Uint8Array()
  const chunks: Uint8Array<ArrayBuffer>[] = []
  let size = 0
  let late = false
  // What it says on being cancelled concerns nobody: the answer is given.
  const leave = (): void => void reader.cancel().catch(() => {})
  const timer = setTimeout(() => {
    late = true
    leave()
  }, limits.timeout)
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (late) return problem(408, `The body took more than ${limits.timeout} ms.`)
      if (done) return new Uint8Array(await new Blob(chunks).arrayBuffer())
      chunks.push(value)
      size += value.byteLength
      if (size > limits.bytes) {
        leave()
        return tooLarge(limits)
      }
    }
  } catch {
    return problem(400, 'The body broke off.')
  } finally {
    clearTimeout(timer)
  }
}

function tooLarge({ bytes }: BodyLimits): Answer {
  return problem(413, `The body takes more than ${bytes} bytes.`)
}
