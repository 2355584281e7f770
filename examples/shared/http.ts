import { STATUS_CODES, type IncomingMessage, type ServerResponse } from 'node:http'

/** Thrown by a handler, it is the answer: a problem of RFC 9457, with a sentence for the person behind the request. */
export class Refusal extends Error {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, detail: string, headers: Readonly<Record<string, string>> = {}) {
    super(detail)
    this.status = status
    this.headers = headers
  }
}

/**
 * Reads a body of JSON.
 *
 * @throws Refusal 415 for what does not say that it is JSON, 413 for more than `limit` bytes, 400 for what is no JSON.
 */
export async function readJson(request: IncomingMessage, limit = 16 << 10): Promise<unknown> {
  if (!/^application\/json\s*(;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new Refusal(415, 'Send JSON, with the header content-type: application/json.', { accept: 'application/json' })
  }
  const chunks: Buffer[] = []
  let size = 0
  // What is too much is read all the same, and thrown away: who is still sending does not hear why it was refused.
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size <= limit) chunks.push(chunk)
  }
  if (size > limit) throw new Refusal(413, `The body is larger than ${limit} bytes.`)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)))
  } catch {
    throw new Refusal(400, 'The body is no valid JSON.')
  }
}

export function sendJson(response: ServerResponse, status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers })
  response.end(JSON.stringify(value))
}

/** Answers a request whose handler has thrown. */
export function answerFailure(response: ServerResponse, error: unknown): void {
  // The client has left.
  if (response.destroyed) return
  if (!(error instanceof Refusal)) console.error(error)
  if (response.headersSent) return void response.destroy()
  const { status, message, headers } = error instanceof Refusal ? error : new Refusal(500, 'The server failed on this request.')
  const problem = { type: 'about:blank', title: STATUS_CODES[status], status, detail: message }
  sendJson(response, status, problem, { 'content-type': 'application/problem+json', ...headers })
}
