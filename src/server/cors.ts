import { EventwireError } from '../errors.ts'
import { plain, type Answer } from './http.ts'
import type { Incoming } from './incoming.ts'
import { checkMembers, type Members } from './members.ts'
import { askHook } from './report.ts'

/** Who else than pages of the same origin may read the stream. */
export interface CorsOptions {
  /** `'*'` for every page, a list such as `['https://app.example.com']`, or a function that decides. */
  origins: '*' | readonly string[] | ((origin: string) => boolean)
  /** Whether pages may send cookies and other credentials. Not with `'*'`. Default: false. */
  credentials?: boolean | undefined
  /** Request headers that pages may send besides `Authorization`, `Content-Type` and `Last-Event-ID`. */
  headers?: readonly string[] | undefined
}

/** Cross-origin resource sharing, as the Fetch standard has it. */
export interface Cors {
  /** The headers that each response takes, the refusals too, so that a page can read why; `undefined` when CORS is off. */
  headers(incoming: Incoming): Record<string, string> | undefined
  /** The answer to a preflight; `undefined` for other requests, and when CORS is off. */
  preflight(incoming: Incoming): Answer | undefined
}

/** A cache must keep apart what different pages were answered. */
export const VARY = { vary: 'Origin' }

const MEMBERS: Members<CorsOptions> = { origins: 'value', credentials: 'value', headers: 'value' }

const HEADERS = ['Authorization', 'Content-Type', 'Last-Event-ID']

/** Checks the options; without any, CORS is off. Throws `invalid-option`. */
export function createCors(options: CorsOptions | undefined, methods: readonly string[]): Cors {
  if (options === undefined) return { headers: () => undefined, preflight: () => undefined }
  checkMembers('cors', options, MEMBERS)
  const { credentials = false, headers: more = [] } = options
  const allows = allowedBy(options)
  if (options.origins === '*' && credentials) {
    throw new EventwireError('invalid-option', `cors: credentials would be open to every page with origins '*'. List the origins.`)
  }
  for (const name of more) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name))
      throw new EventwireError('invalid-option', `cors.headers: ${JSON.stringify(name)} is no name of a header.`)
  }

  const headers = (incoming: Incoming): Record<string, string> => {
    if (options.origins === '*') return { 'access-control-allow-origin': '*', 'access-control-expose-headers': 'Retry-After' }
    const origin = incoming.header('origin')
    if (origin === undefined || !allows(origin)) return VARY
    return {
      ...VARY,
      'access-control-allow-origin': origin,
      'access-control-expose-headers': 'Retry-After',
      ...(credentials && { 'access-control-allow-credentials': 'true' }),
    }
  }

  return {
    headers,
    preflight(incoming) {
      if (incoming.method !== 'OPTIONS' || incoming.header('access-control-request-method') === undefined) return undefined
      const allowed = headers(incoming)
      if (!('access-control-allow-origin' in allowed)) return plain(403, 'Pages of this origin are not let in.', allowed)
      return {
        status: 204,
        headers: {
          ...allowed,
          'access-control-allow-methods': methods.join(', '),
          'access-control-allow-headers': [...HEADERS, ...more].join(', '),
          'access-control-max-age': '7200',
        },
        body: '',
      }
    },
  }
}

function allowedBy({ origins }: CorsOptions): (origin: string) => boolean {
  if (origins === '*') return () => true
  if (typeof origins === 'function') {
    return (origin) => {
      const allowed: unknown = askHook('cors.origins', () => origins(origin))
      return allowed === true
    }
  }
  if (!Array.isArray(origins)) throw new EventwireError('invalid-option', `cors.origins takes '*', an array of origins, or a function.`)
  for (const origin of origins) {
    if (isOrigin(origin)) continue
    throw new EventwireError(
      'invalid-option',
      `cors.origins: ${JSON.stringify(origin)} is no origin. Write it like 'https://app.example.com', without a path.`,
    )
  }
  const listed = new Set(origins)
  return (origin) => listed.has(origin)
}

/** Of schemes that are not the web's own, such as `capacitor://localhost`, a URL knows no origin. */
function isOrigin(text: string): boolean {
  if (!URL.canParse(text) || text.includes('*')) return false
  const { origin } = new URL(text)
  return origin === text || (origin === 'null' && /^[a-z][a-z\d+.-]*:\/\/[^/?#@\s]+$/.test(text))
}
