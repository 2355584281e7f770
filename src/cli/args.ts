import { parseArgs, type ParseArgsConfig } from 'node:util'
import { EventwireError, messageOf } from '../errors.ts'
import { MAX_DELAY } from '../wire/decode.ts'

const TAIL = {
  event: { type: 'string', multiple: true },
  'last-event-id': { type: 'string' },
  header: { type: 'string', multiple: true },
  data: { type: 'string' },
  once: { type: 'boolean' },
  pretty: { type: 'boolean' },
  json: { type: 'boolean' },
} as const satisfies ParseArgsConfig['options']

const CHECK = {
  time: { type: 'string' },
  header: { type: 'string', multiple: true },
  origin: { type: 'string' },
  json: { type: 'boolean' },
} as const satisfies ParseArgsConfig['options']

/** What `eventwire tail` is asked for. */
export interface TailArgs {
  readonly url: string
  readonly headers: Headers
  /** The names of the events to show; all where there are none. */
  readonly names: readonly string[]
  readonly lastEventId: string | undefined
  readonly data: string | undefined
  readonly once: boolean
  readonly pretty: boolean
  readonly json: boolean
}

/** What `eventwire check` is asked for. */
export interface CheckArgs {
  readonly url: string
  readonly headers: Headers
  /** How long to watch at most, in ms. */
  readonly time: number
  readonly origin: string | undefined
  readonly json: boolean
}

/** Reads the arguments of `tail`. Throws `invalid-option`, in one line. */
export function parseTail(args: readonly string[]): TailArgs {
  const { values, positionals } = parsed('tail', { args: [...args], options: TAIL, allowPositionals: true })
  const headers = headersOf(values.header)
  const { data } = values
  if (data !== undefined && !headers.has('content-type')) headers.set('content-type', isJson(data) ? 'application/json' : 'text/plain')
  return {
    url: urlOf('tail', positionals),
    headers,
    names: values.event ?? [],
    lastEventId: values['last-event-id'],
    data,
    once: values.once ?? false,
    pretty: values.pretty ?? false,
    json: values.json ?? false,
  }
}

/** Reads the arguments of `check`. Throws `invalid-option`, in one line. */
export function parseCheck(args: readonly string[]): CheckArgs {
  const { values, positionals } = parsed('check', { args: [...args], options: CHECK, allowPositionals: true })
  const { time = '20', origin, json = false } = values
  const ms = Number(time) * 1_000
  if (!(ms > 0 && ms <= MAX_DELAY)) refuse(`--time is ${JSON.stringify(time)}; give a number of seconds.`)
  if (origin !== undefined && originOf(origin) !== origin)
    refuse(`--origin is ${JSON.stringify(origin)}; give one such as https://app.example.`)
  return { url: urlOf('check', positionals), headers: headersOf(values.header), time: ms, origin, json }
}

function parsed<T extends ParseArgsConfig>(command: string, config: T): ReturnType<typeof parseArgs<T>> {
  try {
    return parseArgs(config)
  } catch (error) {
    // Node's own text goes on about arguments that begin with a dash.
    return refuse(`${messageOf(error).split(/\.\s/)[0]!.replace(/\.?$/, '.')} eventwire help ${command} lists the options.`)
  }
}

function urlOf(command: string, [text, another]: readonly string[]): string {
  if (text === undefined) return refuse(`${command} wants the address of a stream: eventwire ${command} http://127.0.0.1:3000/events`)
  if (another !== undefined)
    return refuse(`${command} takes one address, and ${JSON.stringify(another)} is another argument; put quotes around it.`)
  if (!/^https?:\/\//i.test(text)) return refuse(`${JSON.stringify(text)} is no address of a stream; it begins with http:// or https://.`)
  const url = URL.parse(text) ?? refuse(`${JSON.stringify(text)} is no address.`)
  if (url.username || url.password) refuse(`leave the name and the password out of the address; give --header 'Authorization: Basic …'.`)
  return url.href
}

function headersOf(lines: readonly string[] = []): Headers {
  const headers = new Headers()
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon < 1) refuse(`--header is ${JSON.stringify(line)}; give 'Name: value'.`)
    try {
      headers.append(line.slice(0, colon), line.slice(colon + 1))
    } catch (error) {
      refuse(`--header ${JSON.stringify(line)} cannot be sent: ${messageOf(error)}`)
    }
  }
  return headers
}

function originOf(text: string): string | undefined {
  return URL.parse(text)?.origin
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

function refuse(message: string): never {
  throw new EventwireError('invalid-option', message)
}
