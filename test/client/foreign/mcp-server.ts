import type { ServerResponse } from 'node:http'
import { blocksOf, play, recording, refuse, serveForeign, type Asked } from './support.ts'

/** What an MCP server does beyond what it must. */
export interface McpServerOptions {
  /** How a call is answered: with a whole stream, one that is cut, one of JSON, or one that is cut and has no ids. */
  readonly answer?: 'stream' | 'cut' | 'json' | 'cut without ids'
  /** Whether it has a stream of its own for GET. */
  readonly notifies?: boolean
}

export interface McpServer {
  readonly url: string
  readonly asked: readonly Asked[]
  /** Ends the open stream of notifications. */
  cut(): void
}

const SESSION = 'tide-session'

/** A server of MCP, Streamable HTTP, as strict as the specification lets it be. */
export async function serveMcp({ answer = 'stream', notifies = true }: McpServerOptions = {}): Promise<McpServer> {
  let open: ServerResponse | undefined
  let call = ''
  const { url, asked } = await serveForeign((response, { method, headers, body }) => {
    const accepts = headers.accept ?? ''
    if (method === 'GET') {
      if (!accepts.includes('text/event-stream')) return refuse(response, 406, {})
      if (headers['mcp-session-id'] !== SESSION) return refuse(response, 400, {})
      const cursor = headers['last-event-id']
      if (typeof cursor === 'string' && cursor.startsWith('call-')) return play(response, after(call, cursor))
      if (!notifies) return refuse(response, 405, {}, { allow: 'POST' })
      open = response
      return play(response, typeof cursor === 'string' ? after(recording('mcp-notifications'), cursor) : notified(0, 3))
    }
    if (!accepts.includes('application/json') || !accepts.includes('text/event-stream')) return refuse(response, 406, {})
    if (headers['content-type'] !== 'application/json') return refuse(response, 415, {})
    const { id, method: name } = JSON.parse(body) as { id?: number; method: string }
    if (name === 'initialize') return refuse(response, 200, reply(id, { capabilities: {} }), { 'mcp-session-id': SESSION })
    if (headers['mcp-session-id'] !== SESSION) return refuse(response, headers['mcp-session-id'] ? 404 : 400, {})
    if (id === undefined) return response.writeHead(202).end()
    if (name !== 'tools/call') return refuse(response, 200, { jsonrpc: '2.0', id, error: { code: -32601, message: 'No such method.' } })
    if (answer === 'json')
      return response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(reply(id, HIGH_WATER), null, 2))
    // The answer has the id of the call, which the recording cannot know.
    call = recording('mcp-call').replace('"id":7', `"id":${id}`)
    play(response, called(call, answer))
    return response.end()
  })
  return { url, asked, cut: () => open?.end() }
}

/** What a call gives. */
export const HIGH_WATER = { content: [{ type: 'text', text: 'High water at 06:12.' }], isError: false }

function reply(id: unknown, result: unknown): object {
  return { jsonrpc: '2.0', id, result }
}

function called(stream: string, answer: 'stream' | 'cut' | 'cut without ids'): string {
  if (answer === 'stream') return stream
  const begun = blocksOf(stream).slice(0, 4).join('')
  return answer === 'cut' ? begun : begun.replaceAll(/^id: .*\n/gm, '')
}

function notified(from: number, to: number): string {
  return blocksOf(recording('mcp-notifications')).slice(from, to).join('')
}

/** What a stream has behind a cursor. */
function after(stream: string, cursor: string): string {
  const blocks = blocksOf(stream)
  return blocks.slice(blocks.findIndex((block) => block.startsWith(`id: ${cursor}\n`)) + 1).join('')
}
