import type { Contract } from '../contract.ts'
import type { Components } from './components.ts'
import { CONTROL } from './control.ts'
import { JSON_TYPE, streamedEvents, type StreamedEvent } from './events.ts'
import { TEXT, type JsonSchema } from './json-schema.ts'
import { pascal } from './names.ts'
import { pathNames, type DescribeOptions } from './options.ts'
import type { OpenApiOperation, OpenApiParameter, OpenApiResponse } from './types.ts'

/** The operation that opens a stream. */
export function streamOperation(
  components: Components,
  contract: Contract,
  path: string,
  options: DescribeOptions,
  parameters: readonly OpenApiParameter[],
  refusals: readonly number[],
): OpenApiOperation {
  const refused = refusals.map((status) => [String(status), { description: REFUSALS[status] ?? 'The application refuses this request.' }])
  return {
    summary: 'Reads the stream of events.',
    description:
      'A client that was cut brings the last id that it has, and the stream goes on behind it; or `$gap` says why it cannot. ' +
      'A block without data, such as `id` alone, is no event: by the standard it moves the id of the client.',
    parameters: merged([...pathNames(path).map(pathParameter), ...CURSORS], parameters),
    responses: {
      // First: where the server answers with the same status by itself, that has more to say.
      ...Object.fromEntries(refused),
      200: {
        description: 'The stream. It stays open.',
        content: { 'text/event-stream': { itemSchema: addItem(components, contract, options) } },
      },
      ...ANSWERS,
    },
  }
}

export function pathParameter(name: string): OpenApiParameter {
  return { name, in: 'path', required: true, schema: TEXT }
}

/** One schema for any of several objects, told apart by `event`; one without it is a `message`. */
export function anyEvent(description: string, events: readonly (readonly [string, { $ref: string }])[]): JsonSchema {
  const message = events.find(([event]) => event === 'message')
  return {
    description,
    oneOf: events.map(([, reference]) => reference),
    discriminator: {
      propertyName: 'event',
      mapping: Object.fromEntries(events.map(([event, { $ref }]) => [event, $ref])),
      ...(message && { defaultMapping: message[1].$ref }),
    },
  }
}

/** Where a stream goes on. The header wins. */
const CURSORS: readonly OpenApiParameter[] = [
  {
    name: 'Last-Event-ID',
    in: 'header',
    description: 'The last id that the client has: the stream goes on behind it.',
    schema: TEXT,
  },
  { name: 'lastEventId', in: 'query', description: 'The same, for clients that cannot set a header.', schema: TEXT },
]

/** Why the `connect` hook may refuse. */
const REFUSALS: Readonly<Record<number, string>> = {
  204: 'There is no more to come: the client should not come back.',
  401: 'The request does not say who it is from, or not so that it can be believed.',
  403: 'Who it is from may not read this.',
  404: 'There is no such stream.',
}

const inWords = { 'text/plain': { schema: TEXT } }

export const RETRY_AFTER = { 'Retry-After': { description: 'Seconds to wait.', schema: { type: 'integer', minimum: 0 } } }

/** What a stream is answered with besides. */
const ANSWERS: Readonly<Record<number, OpenApiResponse>> = {
  400: { description: 'The request is none, or asks for too many topics.', content: inWords },
  429: { description: 'This client has as many streams open as it may.', headers: RETRY_AFTER, content: inWords },
  431: { description: 'The head of the request is too large.', content: inWords },
  500: { description: 'The server failed.', content: inWords },
  503: { description: 'The server is closing, full, or cannot reach its log.', headers: RETRY_AFTER, content: inWords },
}

/** Adds a schema for each event, as it is when its block was parsed (OpenAPI 3.2, 4.14.4), and one for any of them. */
function addItem(components: Components, contract: Contract, options: DescribeOptions): { $ref: string } {
  const events = streamedEvents(contract, options, 'draft-2020-12').map((it) => {
    const schema = it.schema && components.addData(`${pascal(it.event)}Data`, it.schema)
    return [it.event, components.add(`${pascal(it.event)}Event`, blockOf(it.event, dataOf({ ...it, schema }), it.description))] as const
  })
  const control = Object.entries(CONTROL).map(([event, schema]) => {
    const data = dataOf({ mediaType: JSON_TYPE, schema, marks: [] })
    return [event, components.add(`Stream${pascal(event)}`, blockOf(event, data, schema.description))] as const
  })
  return components.add(`${pascal(contract.name ?? '')}StreamItem`, anyEvent('An event of the stream.', [...events, ...control]))
}

/** The fields of a block. All are text but `retry`. */
function blockOf(event: string, data: JsonSchema, description: string | undefined): JsonSchema {
  return {
    ...(description !== undefined && { description }),
    type: 'object',
    properties: { event: { type: 'string', const: event }, data, id: TEXT, retry: { type: 'integer', minimum: 0 } },
    // A message is written without its name.
    required: event === 'message' ? ['data'] : ['event', 'data'],
  }
}

/** Data as it is on the wire. */
function dataOf({ mediaType, schema, marks }: Pick<StreamedEvent, 'mediaType' | 'schema' | 'marks'>): JsonSchema {
  if (mediaType === undefined) return schema ?? TEXT
  const content = { contentMediaType: mediaType, ...(schema && { contentSchema: schema }) }
  return marks.length > 0 ? { ...TEXT, anyOf: [content, { enum: [...marks] }] } : { ...TEXT, ...content }
}

/** Parameters of the application replace ours of the same name. */
function merged(ours: readonly OpenApiParameter[], given: readonly OpenApiParameter[]): OpenApiParameter[] {
  const keyOf = (it: OpenApiParameter): string => `${it.in} ${it.name}`
  return [...new Map([...ours, ...given].map((it) => [keyOf(it), it])).values()]
}
