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
  const refused = refusals.map((status) => [String(status), { description: REFUSALS[status] ?? 'Refused by the application.' }])
  return {
    summary: 'Reads the stream of events.',
    description:
      'A client that reconnects sends the last id it received, and the stream resumes after it; if it cannot, `$gap` says why. ' +
      'A block without data, such as one with `id` alone, is not an event: it only updates the last id of the client.',
    parameters: merged([...pathNames(path).map(pathParameter), ...CURSORS], parameters),
    responses: {
      // First: where the server answers with the same status by itself, that has more to say.
      ...Object.fromEntries(refused),
      200: {
        description: 'The stream of events.',
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
    description: 'The last id the client received: the stream resumes after it.',
    schema: TEXT,
  },
  { name: 'lastEventId', in: 'query', description: 'The same as Last-Event-ID, for clients that cannot set a header.', schema: TEXT },
]

/** Why the `connect` hook may refuse. */
const REFUSALS: Readonly<Record<number, string>> = {
  204: 'No more events: the client should not reconnect.',
  401: 'Not authenticated.',
  403: 'Not allowed.',
  404: 'No such stream.',
}

const inWords = { 'text/plain': { schema: TEXT } }

export const RETRY_AFTER = {
  'Retry-After': { description: 'Seconds to wait before trying again.', schema: { type: 'integer', minimum: 0 } },
}

/** What a stream is answered with besides. */
const ANSWERS: Readonly<Record<number, OpenApiResponse>> = {
  400: { description: 'Malformed request, or too many topics.', content: inWords },
  429: { description: 'This client has too many streams open.', headers: RETRY_AFTER, content: inWords },
  431: { description: 'The request headers are too large.', content: inWords },
  500: { description: 'Internal server error.', content: inWords },
  503: { description: 'The server is shutting down, is full, or cannot reach its log.', headers: RETRY_AFTER, content: inWords },
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
