import type { Socket } from 'node:net'
import { response, serveTcp } from '../support/serve.ts'
import { run } from './cli.ts'

/** The head of a `200` that ends with its socket. */
export function headOf(...lines: readonly string[]): string {
  return ['HTTP/1.1 200 OK', 'connection: close', ...lines, '', ''].join('\r\n')
}

/** The head of a stream that is as it should be. */
export const STREAM = headOf('content-type: text/event-stream', 'cache-control: no-cache')

/** What a request brings in `Last-Event-ID`. */
function cursorOf(head: string): string | undefined {
  return /^last-event-id: ?([^\r\n]*)\r$/im.exec(head)?.[1]
}

/** A server of streams that stay open; `stream` is what each begins with, or writes it. HEAD gets the head alone. */
export async function serveStream(
  stream: string | ((socket: Socket, cursor: string | undefined) => void),
  head = STREAM,
): Promise<{ readonly url: string; readonly heads: readonly string[] }> {
  const { url, attempts } = await serveTcp((socket, _, asked) => {
    if (asked.startsWith('OPTIONS')) socket.end(response('404 Not Found'))
    else if (asked.startsWith('HEAD')) socket.end(head)
    else socket.write(head)
    if (!asked.startsWith('GET')) return
    if (typeof stream === 'string') socket.write(stream)
    else stream(socket, cursorOf(asked))
  })
  return { url, heads: attempts }
}

/** A time that was measured, as it is shown. How long exactly depends on how busy the machine is. */
export const MEASURED = String.raw`[1-9]\d*(\.\d)? m?s`

/** What `eventwire check` has found, by what was looked at. */
export type Findings = Record<string, { readonly level: string; readonly says: string; readonly todo?: string } | undefined>

/** Checks a stream. */
export async function examined(url: string, ...args: readonly string[]): Promise<{ code: number | null; findings: Findings }> {
  const { code, stdout, stderr } = await run(['check', url, '--json', ...args])
  if (stdout === '') throw new Error(stderr)
  const { findings } = JSON.parse(stdout) as { findings: { check: string; level: string; says: string; todo?: string }[] }
  return { code, findings: Object.fromEntries(findings.map(({ check, ...finding }) => [check, finding])) }
}
