import { EventwireError } from '../errors.ts'
import { attachOnce, type MakeStream } from './attach.ts'
import { proceed, recover, type Awaitable } from '../awaitable.ts'
import { VARY, type Cors } from './cors.ts'
import { milliseconds } from './duration.ts'
import { granted, Refusal, type ConnectDetails, type ConnectHook, type Grant } from './grant.ts'
import { answerOf, isResponse, plain, requestedCursor, streamHeaders, withHeaders, type Answer } from './http.ts'
import { acceptsGzip } from './gzip.ts'
import type { Incoming } from './incoming.ts'
import { checkMembers } from './members.ts'
import { askHook, hookFailed, type Report } from './report.ts'
import type { Slot, Slots } from './slots.ts'
import { normalizeTopics, type Topics } from './topics.ts'

/** Options of one request. */
export interface HandleOptions {
  /** What this connection listens to: topics, or `'*'` for all. Events without a topic reach it in any case. Default: the emitter's `topics`; what `connect` grants comes before both. */
  topics?: Topics | undefined
}

/** A request that was let in. */
interface Admitted<Context> {
  readonly topics: Topics
  readonly context: Context
  readonly lastEventId: string | undefined
  /** Its stream goes out as gzip. */
  readonly gzip: boolean
}

/** What decides on requests. */
export interface AdmissionRules<Context> {
  /** What may be asked with, besides HEAD. */
  readonly methods: readonly string[]
  readonly cors: Cors
  readonly slots: Slots
  readonly connect: ConnectHook<Context> | undefined
  /** By what connections are counted against the limit of each. */
  readonly keyOf: ((request: Request, details: ConnectDetails) => string | undefined) | undefined
  readonly topics: Topics
  readonly maxTopics: number
  readonly headerBytes: number
  /** Whether clients that accept gzip are sent it, with the topics that they listen to. None are where it is left out. */
  readonly compresses?: ((topics: Topics) => boolean) | undefined
  /** Why topics are too many for one stream, if they are. */
  readonly refusalOf?: (topics: Topics) => string | undefined
  readonly closing: () => boolean
  /** Waits, where that is needed, until the log knows the place that a cursor means, if anyone does. Rejects when that is not to be known. */
  readonly caughtUp?: (cursor: string | undefined, topics: Topics) => Awaitable<unknown>
  readonly refused: (status: number) => void
  readonly report: Report
}

/** Prepares the stream of an admitted request. What it gives makes it, once its sink is there; `release` is to be called when it is gone. */
export type Open<Context> = (admitted: Admitted<Context>, request: () => Request) => MakeStream

/** The one place that lets a request in: method, limits, `connect`, topics, in this order. */
export function createAdmission<Context>(
  rules: AdmissionRules<Context>,
  open: Open<Context>,
): (incoming: Incoming, given: HandleOptions | undefined) => Awaitable<Answer> {
  const { connect, keyOf, cors, slots, report } = rules

  const admit = (incoming: Incoming, given: HandleOptions = {}): Awaitable<Answer> => {
    refuseUnfit(incoming, rules)
    checkMembers<HandleOptions>('handle', given, { topics: 'value' })
    const asked =
      connect || keyOf ? { request: requestOf(incoming), details: { topics: given.topics, address: incoming.address } } : undefined
    const slot = slots.of(asked && keyOf && keyFrom(() => keyOf(asked.request, asked.details)))
    // Held while the application decides, so that those who wait for it count too.
    const busy = slot.take()
    if (busy) throw new Refusal(busy)
    const opened = recover(
      () => {
        const grant = asked && connect ? granted(() => connect(asked.request, asked.details), incoming.signal) : undefined
        return proceed(grant, (it) => {
          const topics = topicsOf(given, it)
          return proceed(caughtUp(incoming, topics), () => stream(incoming, topics, it, slot, () => asked?.request ?? requestOf(incoming)))
        })
      },
      (thrown) => {
        slot.free()
        throw thrown
      },
    )
    return proceed(opened, (answer) => {
      slot.free()
      return answer
    })
  }

  const topicsOf = (given: HandleOptions, grant: Grant<Context> | undefined): Topics => {
    const topics = normalizeTopics([grant?.topics, given.topics, rules.topics].find((it) => it !== undefined)!)
    const tooMany = topics !== '*' && topics.length > rules.maxTopics
    const refused = tooMany ? `More than ${rules.maxTopics} topics for one event stream.` : rules.refusalOf?.(topics)
    if (refused) throw new Refusal(plain(400, refused))
    return topics
  }

  /** Waits for a log that is behind what the client has heard. */
  const caughtUp = (incoming: Incoming, topics: Topics): Awaitable<unknown> =>
    recover(
      () => rules.caughtUp?.(cursorOf(incoming), topics),
      () => {
        throw new Refusal(plain(503, 'The log of this event stream cannot be reached. Try again soon.', SOON))
      },
    )

  const stream = (incoming: Incoming, topics: Topics, grant: Grant<Context> | undefined, slot: Slot, request: () => Request): Answer => {
    if (rules.closing()) throw new Refusal(closingAnswer())
    const gzip = rules.compresses?.(topics) === true && !incoming.encoded && acceptsGzip(incoming.header('accept-encoding'))
    const headers = streamHeaders(rules.compresses !== undefined, gzip)
    if (incoming.method === 'HEAD') return { status: 200, headers, body: '' }
    const lastEventId = cursorOf(incoming)
    const maxAge = milliseconds('maxAge', grant?.maxAge === undefined ? Infinity : grant.maxAge)
    const make = open({ topics, context: grant?.context as Context, lastEventId, gzip }, request)
    return { status: 200, headers, body: attachOnce(make, slot, maxAge, rules.closing, gzip) }
  }

  const respond = (incoming: Incoming, given: HandleOptions | undefined): Awaitable<Answer> => {
    const shared = cors.headers(incoming)
    const preflight = cors.preflight(incoming)
    if (preflight) return preflight
    const answer = recover(
      () => admit(incoming, given),
      (thrown) => refusal(thrown, report),
    )
    return proceed(answer, (it) => withHeaders(it, shared))
  }

  return (incoming, given) => {
    const answer = recover(
      () => respond(incoming, given),
      async (thrown) => withHeaders(await refusal(thrown, report), VARY),
    )
    return proceed(answer, (it) => {
      if (it.status >= 400) rules.refused(it.status)
      return it
    })
  }
}

/** The key of a client. What else would be another at each request is no key. */
function keyFrom(key: () => unknown): string | undefined {
  const given = askHook('limits.perKey.key', key)
  if (given === undefined || typeof given === 'string') return given
  throw hookFailed('limits.perKey.key', new TypeError(`it returned ${typeof given}; return a string, or undefined for no limit`))
}

/** What can be told without asking the application. */
function refuseUnfit(
  incoming: Incoming,
  { methods, closing, headerBytes }: Pick<AdmissionRules<unknown>, 'methods' | 'closing' | 'headerBytes'>,
): void {
  const allowed = [...methods, 'HEAD']
  if (!allowed.includes(incoming.method)) {
    throw new Refusal(plain(405, `Use ${methods.join(' or ')} to read this event stream.`, { allow: allowed.join(', ') }))
  }
  if (closing()) throw new Refusal(closingAnswer())
  if (incoming.url.length + incoming.headerSize() > headerBytes)
    throw new Refusal(plain(431, `The request takes more than ${headerBytes} bytes of headers.`))
}

const SOON = { 'retry-after': '1' }

function closingAnswer(): Answer {
  return plain(503, 'The server is closing. Try again soon.', SOON)
}

function cursorOf(incoming: Incoming): string | undefined {
  return requestedCursor(incoming.header('last-event-id'), incoming.url)
}

function requestOf(incoming: Incoming): Request {
  try {
    return incoming.request()
  } catch {
    throw new Refusal(plain(400, 'The request has an address or a header that is none.'))
  }
}

async function refusal(thrown: unknown, report: Report): Promise<Answer> {
  if (thrown instanceof Refusal) return thrown.answer
  try {
    if (isResponse(thrown)) return await answerOf(thrown)
    report(thrown instanceof EventwireError ? thrown : hookFailed('connect', thrown))
  } catch (cause) {
    report(hookFailed('connect', cause))
  }
  // The cause is for the application, not for the client.
  return plain(500, 'The server could not open this event stream.')
}
