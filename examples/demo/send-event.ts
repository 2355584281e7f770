import { EventwireError } from 'eventwire'
import type { Emitter } from 'eventwire/server'
import { problem, problemInMidBody, sendJson } from './answer.ts'
import { readBody } from './body.ts'
import type { events } from './events.ts'
import type { Handler } from './router.ts'

/** Largest body, in bytes. */
const LIMIT = 16 << 10

/** POST `{ "message": "…" }`: sends the text to every page and every other listener, and answers with the event's id. */
export function sendEvent(emitter: Emitter<typeof events>): Handler {
  return async (request, response) => {
    if (!isJson(request.headers['content-type'])) {
      return problem(response, 415, 'Send the message as JSON, with the header content-type: application/json.', {
        accept: 'application/json',
      })
    }
    const body = await readBody(request, LIMIT)
    if (body === 'too-large') return problemInMidBody(response, 413, 'The body is larger than 16 KiB, the most that is read here.')

    const json = parseJson(body)
    if (!json) return problem(response, 400, 'The body is not valid JSON. Send { "message": "…" }.')
    const { message } = Object(json.value) as { message?: unknown }
    const fault = messageFault(message)
    if (fault) return problem(response, 422, fault)

    try {
      sendJson(response, 202, { id: await emitter.emit('message', message as string) })
    } catch (error) {
      if (!(error instanceof EventwireError && error.code === 'emitter-closed')) throw error
      problem(response, 503, 'The server is closing.', { 'retry-after': '1' })
    }
  }
}

function isJson(contentType = ''): boolean {
  return /^application\/json\s*(;|$)/i.test(contentType)
}

/** The value is wrapped: `null` and `false` are valid JSON, too. */
function parseJson(body: Buffer): { value: unknown } | undefined {
  try {
    return { value: JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body)) }
  } catch {
    return undefined
  }
}

function messageFault(message: unknown): string | undefined {
  if (message === undefined) return 'The message is missing. Send { "message": "…" }.'
  if (typeof message !== 'string') return 'The message is not a string. Send { "message": "…" }.'
  if (message.trim() === '') return 'The message is empty. Say something.'
  if (!message.isWellFormed()) return 'The message holds half a surrogate pair, which is no character.'
  return undefined
}
