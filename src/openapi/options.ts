import { isContract, type Contract, type EventName } from '../contract.ts'
import { EventwireError } from '../errors.ts'

/** What `openapi` and `asyncapi` take alike. */
export interface DescribeOptions<C extends Contract = Contract> {
  /** The path that streams of the contract are read from, such as `/events` or `/rooms/{room}`. Default: the document says of none. */
  stream?: string | undefined
  /** What a stream is asked for with: `post` is for those of `streamEvents`. Default: `get`. */
  method?: 'get' | 'post' | undefined
  /** The path of `publishHandler`. Default: the document says of none. */
  publish?: string | undefined
  /**
   * JSON Schemas of events whose own schema gives none, or not the one that you want: each stands for what crosses the wire, in both directions.
   * It may point into the document, as `{ $ref: '#/components/schemas/Price' }`. Default: what the contract's schemas give.
   */
  jsonSchemas?: { readonly [N in EventName<C>]?: object | undefined } | undefined
  /**
   * The media type of the data of a stream's events, where the contract has a `serialize` of its own: then only `jsonSchemas` can say
   * what it looks like. Default: `application/json`.
   */
  mediaType?: string | undefined
}

/** The document that is added to, as far as both functions look at it alike: each has its version under the name of the function. */
interface Described {
  readonly document?: { readonly info?: object; readonly openapi?: unknown; readonly asyncapi?: unknown }
}

/** Refuses what could only be a mistake. Throws `invalid-option`, which names the option. */
export function checkDescribe(
  where: 'openapi' | 'asyncapi',
  contract: Contract,
  options: DescribeOptions & Described,
  members: readonly string[],
): void {
  const refuse: (fault: string) => never = (fault) => {
    throw new EventwireError('invalid-option', `${where}${fault}`)
  }
  if (!isContract(contract)) refuse(' takes the contract that defineEvents returned.')
  const known = ['document', 'stream', 'method', 'publish', 'jsonSchemas', 'mediaType', ...members]
  const unknown = Object.keys(options ?? {}).find((name) => !known.includes(name))
  if (unknown !== undefined) refuse(` has no ${JSON.stringify(unknown)}; it takes ${known.join(', ')}.`)
  const { document, stream, method = 'get', publish, jsonSchemas = {} } = options ?? {}
  if (stream === undefined && publish === undefined) refuse(' takes stream, the path of the stream, or publish, or both.')
  for (const [name, path] of Object.entries({ stream, publish })) {
    if (path !== undefined && !(typeof path === 'string' && path.startsWith('/'))) {
      refuse(`: ${name} is ${JSON.stringify(path)}; give a path that begins with "/".`)
    }
  }
  if (!document?.info) refuse(' takes document, what it says besides: { info: { title, version } } at least.')
  const version = document[where]
  // YAML reads `3.1` as a number.
  if (version !== undefined && typeof version !== 'string')
    refuse(`: document.${where} is ${JSON.stringify(version)}; give it as a string.`)
  if (method !== 'get' && method !== 'post') refuse(`: method is ${JSON.stringify(method)}; it takes 'get' or 'post'.`)
  for (const name of Object.keys(jsonSchemas)) {
    if (!Object.hasOwn(contract.schemas, name)) refuse(`: jsonSchemas has ${JSON.stringify(name)}, which is no event of the contract.`)
  }
}

/** The names in a path: `room` in `/rooms/{room}`. */
export function pathNames(path: string): string[] {
  return Array.from(path.matchAll(/\{([^{}]+)\}/g), ([, name]) => name!)
}
