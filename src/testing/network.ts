import { isStream } from '../client/response.ts'
import { EventwireError } from '../errors.ts'
import { isResponse } from '../server/http.ts'
import { checkMembers } from '../server/members.ts'
import { stir } from './calm.ts'
import { Link } from './link.ts'

/** Answers requests, as `emitter.handle` and the routes of web frameworks do. */
export type Endpoint = (request: Request) => Response | Promise<Response>

/** How a stream is cut. */
export interface CutOptions {
  /** How many bytes more get through first, on each connection: to end in mid-event. Default: 0. */
  afterBytes?: number | undefined
}

/** A way to a server, in memory, and what may go wrong on it. */
export interface Network {
  /** Asks the server, as the global `fetch` would, but that it follows no redirect, and the response has no `url`. A path is one of `http://localhost`. */
  readonly fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response>
  /** How many streams of events are open: responses of status 200 and the type `text/event-stream`. */
  readonly connections: number
  /** Breaks every open connection, and every request under way, as a network does that changes; clients may come back at once. */
  cut(options?: CutOptions): void
  /** Does what `cut` does, and fails each new request, until `restore`. */
  offline(): void
  /**
   * Answers each request with a response that is not the server's, until `restore`. Streams that are open go on.
   *
   * @param status A status, or a response: with `new Response(null, { status: 429, headers: { 'retry-after': '5' } })` clients wait for five seconds.
   */
  refuse(status: number | Response): void
  /** Holds all that the server sends, on each connection, until `restore`: it has a client that takes nothing, and the client a server that says nothing. */
  stall(): void
  /** Ends what `offline`, `refuse` and `stall` began. */
  restore(): void
}

/** A network as whoever made it has it. */
export interface NetworkParts {
  readonly network: Network
  /** What has been asked for and not been answered. */
  readonly unanswered: () => Request[]
  /** Breaks everything, for good. */
  readonly end: () => void
}

const ORIGIN = 'http://localhost'

const CUT = 'The test cut the connection.'
const AWAY = 'The test took the network away.'
const ENDED = 'The test server was closed.'

/** Makes a way to a server. */
export function createNetwork(endpoint: Endpoint): NetworkParts {
  const links = new Set<Link>()
  /** The requests under way, and what fails each. */
  const unanswered = new Map<Request, (reason: unknown) => void>()
  let refusal: Response | undefined
  /** Why there is no network. */
  let gone: string | undefined
  let stalled: PromiseWithResolvers<void> | undefined

  const breakAll = (reason: string): void => {
    for (const fail of unanswered.values()) fail(fault('fetch failed', reason))
    for (const link of links) link.cut(fault('terminated', reason))
  }

  const carry = (response: Response, signal: AbortSignal, onLeft: () => void): Response => {
    if (!response.body) return response
    const link = new Link(response.body, {
      isStream: isStream(response),
      passage: () => stalled?.promise,
      onOver: () => void links.delete(link),
      onLeft,
    })
    links.add(link)
    whenAborted(signal, () => link.cut(signal.reason))
    return new Response(link.body, response)
  }

  const ask = async (request: Request, signal: AbortSignal, onLeft: () => void): Promise<Response> => {
    const failed = Promise.withResolvers<never>()
    const fail = (reason: unknown): void => {
      if (!unanswered.delete(request)) return
      onLeft()
      failed.reject(reason)
    }
    const answered = async (): Promise<Response> => {
      const response = await answer(endpoint, request)
      if (unanswered.delete(request)) return carry(response, signal, onLeft)
      await response.body?.cancel()
      return response
    }
    unanswered.set(request, fail)
    whenAborted(signal, () => fail(signal.reason))
    return Promise.race([failed.promise, answered()])
  }

  const network: Network = {
    get connections() {
      return [...links].filter((link) => link.isStream).length
    },
    async fetch(input, { signal: given, ...init } = {}) {
      const request = new Request(input instanceof Request ? input : new URL(input, ORIGIN), init)
      const signal = given ?? request.signal
      signal.throwIfAborted()
      stir()
      if (gone) throw fault('fetch failed', gone)
      if (refusal) return refusal.clone()
      // The server's own, as it hears of a cut too; and not given to the request, for that of node refuses the signals of a DOM in memory.
      const left = new AbortController()
      Object.defineProperty(request, 'signal', { value: left.signal })
      return ask(request, signal, () => left.abort()).finally(stir)
    },
    cut(options = {}) {
      checkMembers<CutOptions>('cut', options, { afterBytes: 'value' })
      const { afterBytes = 0 } = options
      if (!(Number.isInteger(afterBytes) && afterBytes >= 0))
        throw new EventwireError('invalid-option', `cut: afterBytes is ${String(afterBytes)}; give a whole number from 0.`)
      if (afterBytes === 0) return breakAll(CUT)
      for (const link of links) link.cut(fault('terminated', CUT), afterBytes)
    },
    offline() {
      gone ??= AWAY
      breakAll(AWAY)
    },
    refuse(status) {
      refusal = isResponse(status) ? status : responseOf(status)
    },
    stall() {
      stalled ??= Promise.withResolvers()
    },
    restore() {
      if (gone !== ENDED) gone = undefined
      refusal = undefined
      stalled?.resolve()
      stalled = undefined
    },
  }
  const end = (): void => {
    gone = ENDED
    breakAll(ENDED)
  }
  return { network, unanswered: () => [...unanswered.keys()], end }
}

/** What a server answers, also where its endpoint throws. */
async function answer(endpoint: Endpoint, request: Request): Promise<Response> {
  try {
    return await endpoint(request)
  } catch (error) {
    console.error(error)
    return new Response(null, { status: 500 })
  }
}

/** Calls back when the signal aborts, also if it has already. */
function whenAborted(signal: AbortSignal, then: () => void): void {
  if (signal.aborted) then()
  else signal.addEventListener('abort', then)
}

/** A fault as `fetch` has it, with the reason in its cause. */
function fault(message: string, reason: string): TypeError {
  return new TypeError(message, { cause: new Error(reason) })
}

function responseOf(status: number): Response {
  if (Number.isInteger(status) && status >= 200 && status <= 599) return new Response(null, { status })
  throw new EventwireError(
    'invalid-option',
    `refuse: ${String(status)} is no status of a response; give one from 200 to 599, or a Response.`,
  )
}
