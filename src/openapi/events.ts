import type { Contract } from '../contract.ts'
import { jsonSchemaOf, replacementOf, type JsonSchema, type Target } from './json-schema.ts'
import type { DescribeOptions } from './options.ts'

export const JSON_TYPE = 'application/json'

/** What is known of an event on a stream. */
export interface StreamedEvent {
  readonly event: string
  /** The media type of its data; `undefined`: raw text. */
  readonly mediaType: string | undefined
  /** The schema of its data; `undefined` where that cannot be known. */
  readonly schema: JsonSchema | undefined
  /** Texts that are its data where it does no more than end the stream. */
  readonly marks: readonly string[]
  readonly description: string | undefined
}

/** The events that a stream of the contract carries. */
export function streamedEvents(contract: Contract, options: DescribeOptions, target: Target): StreamedEvent[] {
  const { jsonSchemas, mediaType = JSON_TYPE } = options
  return Object.keys(contract.schemas).map((event) => {
    const raw = contract.text.includes(event)
    const known = raw || mediaType === JSON_TYPE || replacementOf(event, jsonSchemas) !== undefined
    const schema = known ? jsonSchemaOf(contract, event, 'output', target, jsonSchemas) : undefined
    const marks = contract.ends.flatMap((end) => (typeof end === 'object' && end.event === event ? end.data : []))
    const description = descriptionOf(schema, contract.ends.includes(event), marks)
    return { event, mediaType: raw ? undefined : mediaType, schema, marks, description }
  })
}

/** The events that may be published, and the schemas of their data. */
export function publishedEvents(contract: Contract, { jsonSchemas }: DescribeOptions, target: Target): [string, JsonSchema][] {
  return Object.keys(contract.schemas).map((event) => [event, jsonSchemaOf(contract, event, 'input', target, jsonSchemas)])
}

/** The body of a request that publishes an event. */
export function publicationOf(event: string, data: JsonSchema): JsonSchema {
  return {
    type: 'object',
    properties: {
      event: { type: 'string', const: event },
      data,
      topic: { type: 'string', description: 'If given, only clients that listen to this topic receive the event.' },
    },
    required: ['event', 'data'],
    additionalProperties: false,
  }
}

/** What publishing is answered with. */
export const PUBLISHED: JsonSchema = {
  type: 'object',
  properties: { id: { type: 'string', description: 'The id of the event.' } },
  required: ['id'],
}

/** A problem of RFC 9457. */
export const PROBLEM: JsonSchema = {
  description: 'A problem, as in RFC 9457.',
  type: 'object',
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', description: 'The eventwire error code.' },
    issues: {
      description: 'What the schema of the event rejects.',
      type: 'array',
      items: {
        type: 'object',
        properties: { message: { type: 'string' }, path: { type: 'array', items: { type: ['string', 'integer'] } } },
        required: ['message', 'path'],
      },
    },
  },
  required: ['type', 'title', 'status', 'detail'],
}

/** What the schema says of itself, and whether the event is an end. */
function descriptionOf(schema: JsonSchema | undefined, ends: boolean, marks: readonly string[]): string | undefined {
  const said = typeof schema?.description === 'string' ? [schema.description] : []
  if (ends) said.push('The stream ends after this event.')
  else if (marks.length > 0) {
    said.push(`The stream ends after this event if its data is ${marks.map((mark) => JSON.stringify(mark)).join(' or ')}.`)
  }
  return said.length > 0 ? said.join(' ') : undefined
}
