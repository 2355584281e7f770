import type { Duration } from './duration.ts'
import { isResponse, plain, type Answer } from './http.ts'
import { checkMembers, type Members } from './members.ts'
import type { Topics } from './topics.ts'

/** What the `connect` hook grants a request. */
export type Grant<Context> = {
  /** What the connection listens to. Default: what `handle` was given, or else the emitter's `topics`. */
  topics?: Topics | undefined
  /** The stream ends after so long, and the client comes back through `connect`: what is left of its token's life. In ms or as `'10m'`. Default: Infinity. */
  maxAge?: Duration | undefined
} & ([Context] extends [undefined] ? { context?: Context } : { context: Context })

/** What is known of a request besides what it says. */
export interface ConnectDetails {
  /** The topics that `handle` was given. */
  readonly topics: Topics | undefined
  /** Where the client, or the proxy before it, connected from. Known on node only. */
  readonly address: string | undefined
}

/**
 * Admits a request, or refuses it with a `Response`, returned or thrown. Anything else that it throws is answered with 500 and
 * goes to `onError`. The request's `signal` aborts when the client leaves before the answer.
 */
export type ConnectHook<Context> = (request: Request, details: ConnectDetails) => Granted<Context> | Promise<Granted<Context>>

/** What `connect` gives back. Nothing will do where there is no context. */
export type Granted<Context> = Grant<Context> | Response | ([Context] extends [undefined] ? void : never)

const GRANT: Members<Grant<unknown>> = { topics: 'value', maxAge: 'value', context: 'value' }

/** Thrown within, to be answered. */
export class Refusal {
  constructor(readonly answer: Answer) {}
}

/** What the hook granted. A client that leaves is not waited for. */
export async function granted<Context>(
  hook: () => Granted<Context> | Promise<Granted<Context>>,
  signal: AbortSignal,
): Promise<Grant<Context> | undefined> {
  const left = Promise.withResolvers<never>()
  const leave = (): void => left.reject(new Refusal(plain(499, 'The client has left.')))
  if (signal.aborted) leave()
  signal.addEventListener('abort', leave, { once: true })
  try {
    if (signal.aborted) return await left.promise
    const grant: Granted<Context> = await Promise.race<Granted<Context>>([hook(), left.promise])
    if (isResponse(grant)) throw grant
    // Not `false` or `null`, which were meant to refuse.
    if (grant === undefined) return undefined
    if (typeof grant === 'object' && grant !== null) {
      // A misspelt topic or maxAge would be one that does not hold.
      checkMembers('What connect returned', grant as Grant<unknown>, GRANT)
      return grant
    }
    throw new TypeError(`it returned ${String(grant)}; return an object or nothing to admit, a Response to refuse`)
  } finally {
    signal.removeEventListener('abort', leave)
  }
}
