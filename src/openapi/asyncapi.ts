import type { Contract } from '../contract.ts'
import { EventwireError } from '../errors.ts'
import type {
  AsyncApiBase,
  AsyncApiChannel,
  AsyncApiComponents,
  AsyncApiDocument,
  AsyncApiMessage,
  AsyncApiOperation,
} from './asyncapi-types.ts'
import { Components } from './components.ts'
import { CONTROL } from './control.ts'
import { copyOf } from './copy.ts'
import { JSON_TYPE, PROBLEM, publicationOf, PUBLISHED, publishedEvents, streamedEvents } from './events.ts'
import { TEXT, type JsonSchema } from './json-schema.ts'
import { free, pascal } from './names.ts'
import { checkDescribe, pathNames, type DescribeOptions } from './options.ts'

/** Options of {@link asyncapi}. */
export interface AsyncApiOptions<C extends Contract = Contract> extends DescribeOptions<C> {
  /** What the document says besides: `{ info: { title, version } }` at least; or a whole document, to which the channels are added. It stays as it is. */
  document: AsyncApiBase
}

/**
 * Describes streams of a contract as an AsyncAPI 3 document: a channel for each path, with a message for each event. It is the server's: it
 * sends the events, and receives what is published.
 *
 * @returns A new document, as plain JSON.
 * @throws EventwireError `invalid-contract` for an event whose schema gives no JSON Schema; `invalid-option`, which names the option.
 */
export function asyncapi<C extends Contract>(contract: C, options: AsyncApiOptions<C>): AsyncApiDocument {
  checkDescribe('asyncapi', contract, options, [])
  const { document, stream, publish } = options
  const { asyncapi: version = '3.0.0', ...rest } = document
  if (!version.startsWith('3.')) {
    throw new EventwireError('invalid-option', `asyncapi: the document is of AsyncAPI ${version}; streams can be added to 3.`)
  }
  const given = (document.components ?? {}) as Partial<AsyncApiComponents>
  const components = new Components(given.schemas)
  const channels = { ...document.channels } as Record<string, AsyncApiChannel>
  const operations = { ...document.operations } as Record<string, AsyncApiOperation>

  const add = (kind: 'stream' | 'publish', address: string, messages: Messages, about: About): void => {
    const name = `${kind}${pascal(contract.name ?? '') || (kind === 'stream' ? 'Events' : 'Event')}`
    const id = free(name, new Set([...Object.keys(channels), ...Object.keys(operations)]))
    const channel = { $ref: `#/channels/${id}` }
    const refs = (names: readonly string[]): { $ref: string }[] => names.map((it) => ({ $ref: `${channel.$ref}/messages/${it}` }))
    const all = { ...messages.own, ...messages.replies }
    channels[id] = { address, ...parametersOf(address), messages: all }
    const reply = messages.replies && { channel, messages: refs(Object.keys(messages.replies)) }
    operations[id] = { ...about, channel, messages: refs(Object.keys(messages.own)), ...(reply && { reply }) }
  }
  if (stream !== undefined) add('stream', stream, { own: streamMessages(components, contract, options) }, streaming(options))
  if (publish !== undefined) add('publish', publish, publishMessages(components, contract, options), PUBLISHING)
  return copyOf({ asyncapi: version, ...rest, channels, operations, components: { ...given, schemas: components.schemas } })
}

/** What is said of an operation besides its channel. */
type About = Pick<AsyncApiOperation, 'action' | 'summary' | 'description' | 'bindings'>

/** The messages of a channel, by keys that a reference can hold as they are. */
interface Messages {
  readonly own: Record<string, AsyncApiMessage>
  /** What is answered to them. */
  readonly replies?: Record<string, AsyncApiMessage>
}

const BINDING = { bindingVersion: '0.3.0' }

function streaming({ method = 'get' }: DescribeOptions): About {
  const lastEventId = { type: 'string', description: 'The last id the client received, if it cannot set the Last-Event-ID header.' }
  return {
    action: 'send',
    summary: 'The stream of events, as text/event-stream.',
    description: 'A client that reconnects sends the last id it received, and the stream resumes after it; if it cannot, `$gap` says why.',
    bindings: { http: { method: method.toUpperCase(), query: { type: 'object', properties: { lastEventId } }, ...BINDING } },
  }
}

const PUBLISHING: About = {
  action: 'receive',
  summary: 'Publishes an event.',
  bindings: { http: { method: 'POST', ...BINDING } },
}

function streamMessages(components: Components, contract: Contract, options: DescribeOptions): Record<string, AsyncApiMessage> {
  const messages: [string, AsyncApiMessage][] = []
  for (const { event, mediaType, schema, marks, description } of streamedEvents(contract, options, 'draft-07')) {
    const about = { name: event, ...(description !== undefined && { description }), headers: fieldsOf(event) }
    const payload = schema && components.addData(`${pascal(event)}Data`, schema)
    messages.push([event, { ...about, contentType: mediaType ?? 'text/plain', ...(payload && { payload }) }])
    if (mediaType === undefined || marks.length === 0) continue
    messages.push([`${event}.end`, { ...about, contentType: 'text/plain', payload: { type: 'string', enum: [...marks] } }])
  }
  for (const [event, schema] of Object.entries(CONTROL)) {
    const payload = components.add(`Stream${pascal(event)}`, schema)
    messages.push([event, { name: event, description: schema.description!, headers: fieldsOf(event), contentType: JSON_TYPE, payload }])
  }
  return keyed(messages)
}

function publishMessages(components: Components, contract: Contract, options: DescribeOptions): Messages {
  const own = publishedEvents(contract, options, 'draft-07').map(([event, schema]): [string, AsyncApiMessage] => {
    const data = components.addData(`${pascal(event)}Input`, schema)
    const payload = components.add(`${pascal(event)}Publication`, publicationOf(event, data))
    return [event, { name: event, contentType: JSON_TYPE, payload }]
  })
  const published = {
    contentType: JSON_TYPE,
    payload: components.add('Published', PUBLISHED),
    bindings: { http: { statusCode: 202, ...BINDING } },
  }
  const refused = { contentType: 'application/problem+json', payload: components.add('Problem', PROBLEM) }
  // Names that no event has: `$` is reserved.
  return { own: keyed(own), replies: { $published: published, $refused: refused } }
}

/** The fields of a block besides its data. A message is written without its name. */
function fieldsOf(event: string): JsonSchema {
  return {
    type: 'object',
    properties: { event: { type: 'string', const: event }, id: TEXT },
    ...(event !== 'message' && { required: ['event'] }),
  }
}

function keyed(messages: readonly [string, AsyncApiMessage][]): Record<string, AsyncApiMessage> {
  const keys = new Set<string>()
  return Object.fromEntries(
    messages.map(([name, message]) => {
      // Not `__proto__`, which tools that assign it would lose.
      const key = free(name.replaceAll(/[^\w$.-]+/g, '_').replace(/^__/, '_'), keys)
      keys.add(key)
      return [key, message]
    }),
  )
}

function parametersOf(address: string): { parameters?: Record<string, object> } {
  const names = pathNames(address)
  return names.length > 0 ? { parameters: Object.fromEntries(names.map((name) => [name, {}])) } : {}
}
