import type { Contract } from '../contract.ts'
import { EventwireError, type ErrorCode } from '../errors.ts'
import { readJson, refuseType } from './body.ts'
import { createCors, VARY, type CorsOptions } from './cors.ts'
import { wholeNumber } from './duration.ts'
import type { Emitter } from './emitter.ts'
import { createHandlers, type Handlers } from './handlers.ts'
import { answerOf, isResponse, withHeaders, type Answer } from './http.ts'
import type { Incoming } from './incoming.ts'
import { issuesOf, problem } from './problem.ts'
import { checkMembers, type Members } from './members.ts'
import { createReport, hookFailed } from './report.ts'

/** What a request asks to publish. Not validated yet. */
export interface Publication {
  readonly event: string
  readonly data: unknown
  readonly topic: string | undefined
}

/** Options of {@link publishHandler}. */
export interface PublishOptions {
  /**
   * Decides who may publish what. True lets it through, false is answered with 403; a `Response`, returned or thrown, is the
   * answer itself. What else it throws is answered with 500 and goes to `onError`. There is no default: say `() => true` to let everybody publish.
   */
  authorize: (request: Request, publication: Publication) => boolean | Response | Promise<boolean | Response>
  /** Lets pages of other origins publish. Default: none. */
  cors?: CorsOptions | undefined
  /** Largest body, in bytes. Default: 1 MiB. */
  bodyBytes?: number | undefined
  /** Longest wait for the whole body, in ms. Default: 10,000. */
  bodyTimeout?: number | undefined
  /** Hears of what the client is only told with 500. Default: `console.error`. */
  onError?: ((error: EventwireError) => void) | undefined
}

/** Options of one request. */
export interface PublishGiven {
  /** The body as a parser has left it, where a framework keeps it elsewhere than in node's request (Fastify, Koa). Default: the body is read here. */
  body?: unknown
}

const MEMBERS: Members<PublishOptions> = {
  authorize: 'function',
  cors: 'value',
  bodyBytes: 'value',
  bodyTimeout: 'value',
  onError: 'function',
}

/** What a client is told of a failure that has a cause, which is not for it. */
const UNFIT = 'The data does not fit this event.'
const UNKNOWN = 'It is not known whether the event was published: its log did not answer.'

/** What is answered when `emit` fails; all else is the server's fault. */
const STATUS: Partial<Record<ErrorCode, number>> = {
  'unknown-event': 422,
  'invalid-payload': 422,
  'invalid-message': 422,
  'too-large': 413,
  'emitter-closed': 503,
  'log-unavailable': 503,
}

/**
 * Publishes what is POSTed as JSON: `{ "event": "price", "data": { … }, "topic": "BTC" }`, the topic being optional. Answers 202
 * and `{ "id": "…" }`, or a problem of RFC 9457: 400 for what is no such JSON, 403 for what `authorize` refuses, 405, 408 and 413 for a body
 * that takes too long or is too large, 415, 422 with the schema's `issues`, 500, 503 once the emitter was closed or while its log is out of reach.
 *
 * @throws EventwireError `invalid-option`, which names the option.
 */
export function publishHandler<C extends Contract>(emitter: Emitter<C>, options: PublishOptions): Handlers<PublishGiven> {
  if (typeof emitter?.emit !== 'function') {
    throw new EventwireError('invalid-option', 'publishHandler takes the emitter that createEmitter returned.')
  }
  checkMembers('publishHandler', options, MEMBERS)
  const { authorize } = options
  if (typeof authorize !== 'function') {
    throw new EventwireError(
      'invalid-option',
      'publishHandler: authorize is no function. Say who may publish, or () => true for everybody.',
    )
  }
  const limits = {
    bytes: wholeNumber('bodyBytes', options.bodyBytes ?? 1 << 20, 1),
    timeout: wholeNumber('bodyTimeout', options.bodyTimeout ?? 10_000, 1),
  }
  const report = createReport(options.onError)
  const cors = createCors(options.cors, ['POST'])

  const publish = async (incoming: Incoming, given: PublishGiven | undefined): Promise<Answer> => {
    if (incoming.method !== 'POST') return problem(405, 'Publish with POST.', {}, { allow: 'POST' })
    const request = requestOf(incoming)
    if (!request) return problem(400, 'The request has an address or a header that is none.')
    const read = refuseType(request) ?? (given && 'body' in given ? { value: given.body } : await readJson(request, limits))
    if ('status' in read) return read
    const publication = publicationOf(read.value)
    if (typeof publication === 'string') return problem(400, publication)
    const allowed: unknown = await authorize(request, publication)
    if (isResponse(allowed)) return answerOf(allowed)
    if (allowed !== true) return problem(403, 'You may not publish this.')
    const id = await emit(emitter, publication)
    return { status: 202, headers: { 'content-type': 'application/json', 'cache-control': 'no-store' }, body: JSON.stringify({ id }) }
  }

  const failure = async (thrown: unknown): Promise<Answer> => {
    if (isResponse(thrown)) return answerOf(thrown).catch(failure)
    const status = thrown instanceof EventwireError ? STATUS[thrown.code] : undefined
    if (thrown instanceof EventwireError && status) {
      const { code, issues = [], cause } = thrown
      // What a schema throws, where it should have returned issues, is not for the client; nor is what a log says, which has told of it itself.
      if (cause !== undefined && status === 422) report(thrown)
      const caused = status === 503 ? UNKNOWN : UNFIT
      const message = cause === undefined ? thrown.message : caused
      const headers = status === 503 ? { 'retry-after': '1' } : undefined
      return problem(status, message, { code, ...(issues.length > 0 && { issues: issuesOf(issues) }) }, headers)
    }
    report(thrown instanceof EventwireError ? thrown : hookFailed('authorize', thrown))
    return problem(500, 'The server could not publish this.')
  }

  const respond = async (incoming: Incoming, given: PublishGiven | undefined): Promise<Answer> => {
    const shared = cors.headers(incoming)
    return cors.preflight(incoming) ?? withHeaders(await publish(incoming, given).catch(failure), shared)
  }

  return createHandlers(
    (incoming, given) => respond(incoming, given).catch(async (thrown) => withHeaders(await failure(thrown), VARY)),
    1,
    report,
  )
}

function requestOf(incoming: Incoming): Request | undefined {
  try {
    return incoming.request()
  } catch {
    return undefined
  }
}

/** What to publish, or what is wrong with it. A member too many may be a topic misspelt, which would reach everyone. */
function publicationOf(body: unknown): Publication | string {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return 'The body is no JSON object.'
  const { event, data, topic, ...more } = body as Record<string, unknown>
  if (typeof event !== 'string') return 'The member "event" is no text.'
  if (topic !== undefined && typeof topic !== 'string') return 'The member "topic" is no text.'
  const [unknown] = Object.keys(more)
  if (unknown !== undefined) return `The member ${JSON.stringify(unknown.slice(0, 100))} is none of "event", "data" and "topic".`
  return { event, data, topic }
}

/** The contract's names and types are checked by `emit` itself. */
function emit(emitter: Pick<Emitter, 'emit'>, { event, data, topic }: Publication): Promise<string> {
  return emitter.emit(event, data, topic === undefined ? undefined : { topic })
}
