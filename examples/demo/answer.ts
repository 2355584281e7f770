import { STATUS_CODES, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'

/** Sends a whole body. */
export function send(response: ServerResponse, status: number, type: string, body: string, headers: OutgoingHttpHeaders = {}): void {
  begin(response, status, type, body, headers)
  response.end(body)
}

export function sendJson(response: ServerResponse, status: number, value: unknown): void {
  send(response, status, 'application/json', JSON.stringify(value))
}

/** Refuses a request, with a sentence for the person behind it (problem details, RFC 9457). */
export function problem(response: ServerResponse, status: number, detail: string, headers: OutgoingHttpHeaders = {}): void {
  send(response, status, 'application/problem+json', problemBody(status, detail), headers)
}

/** How long a client that is still sending may take to notice that it was refused, in ms. */
const LINGER = 1_000

/**
 * Refuses a request whose body is still on its way. To close the connection at once would reset it, and the client might
 * never read why: so the answer is complete at once, and the connection ends when the client has stopped, or soon after.
 */
export function problemInMidBody(response: ServerResponse, status: number, detail: string): void {
  const body = problemBody(status, detail)
  begin(response, status, 'application/problem+json', body, { connection: 'close' })
  response.write(body)
  const end = (): unknown => response.end()
  const timer = setTimeout(end, LINGER)
  response.req.once('end', end)
  response.once('close', () => clearTimeout(timer))
}

function begin(response: ServerResponse, status: number, type: string, body: string, headers: OutgoingHttpHeaders): void {
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...headers,
  })
}

function problemBody(status: number, detail: string): string {
  return JSON.stringify({ type: 'about:blank', title: STATUS_CODES[status], status, detail })
}
