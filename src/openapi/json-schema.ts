import type { StandardJSONSchemaV1, StandardSchemaV1 } from '@standard-schema/spec'
import type { Contract } from '../contract.ts'
import { EventwireError, messageOf } from '../errors.ts'

/** A JSON Schema; keywords that are not listed are allowed. */
export interface JsonSchema {
  $ref?: string
  description?: string
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  properties?: Record<string, JsonSchema>
  required?: string[]
  additionalProperties?: boolean | JsonSchema
  items?: JsonSchema
  oneOf?: JsonSchema[]
  anyOf?: JsonSchema[]
  /** Of a string: what its text is. */
  contentMediaType?: string
  /** Of a string: what its text describes, once it is read as `contentMediaType`. */
  contentSchema?: JsonSchema
  [keyword: string]: unknown
}

/** The schema of raw text. */
export const TEXT: JsonSchema = { type: 'string' }

/** The dialect of a document's schemas: OpenAPI 3.2 has the one, AsyncAPI the other. */
export type Target = 'draft-2020-12' | 'draft-07'

/** `output`: what a stream carries. `input`: what may be published. */
export type Direction = 'input' | 'output'

/** JSON Schemas that stand in for what the schemas of some events give. */
export type Replacements = Readonly<Record<string, object | undefined>>

/**
 * The JSON Schema of an event's data, before it becomes text: by way of Standard JSON Schema, which its library implements.
 *
 * @throws EventwireError `invalid-contract`, which names the event, where there is none.
 */
export function jsonSchemaOf(
  contract: Contract,
  event: string,
  direction: Direction,
  target: Target,
  replacements: Replacements | undefined,
): JsonSchema {
  const replacement = replacementOf(event, replacements)
  if (replacement) return replacement
  if (contract.text.includes(event)) return TEXT
  const schema = contract.schemas[event]!
  if (!givesJsonSchema(schema)) throw lacking(event, schema['~standard'].vendor)
  try {
    return schema['~standard'].jsonSchema[direction]({ target })
  } catch (cause) {
    const found = messageOf(cause).replace(/\.$/, '')
    const message = `Event ${JSON.stringify(event)}: its schema has no JSON Schema: ${found}. Say in jsonSchemas what crosses the wire.`
    throw new EventwireError('invalid-contract', message, { event, cause })
  }
}

/** What stands in for the schema of an event. A name like `constructor` is nothing of an object's own. */
export function replacementOf(event: string, replacements: Replacements = {}): JsonSchema | undefined {
  return Object.hasOwn(replacements, event) ? (replacements[event] as JsonSchema | undefined) : undefined
}

function givesJsonSchema(schema: StandardSchemaV1): schema is StandardSchemaV1 & StandardJSONSchemaV1 {
  const { jsonSchema } = schema['~standard'] as Partial<StandardJSONSchemaV1.Props>
  return typeof jsonSchema?.output === 'function' && typeof jsonSchema.input === 'function'
}

/** What to do about a schema that gives no JSON Schema, by its library. */
const REMEDIES: Readonly<Record<string, string>> = {
  valibot: 'Wrap it in toStandardJsonSchema of @valibot/to-json-schema.',
  zod: 'Those of zod 4.2 and later do, of zod/mini none: say in jsonSchemas what z.toJSONSchema makes of it.',
}

function lacking(event: string, vendor: string): EventwireError {
  const remedy = REMEDIES[vendor] ?? 'Say in jsonSchemas what crosses the wire.'
  return new EventwireError('invalid-contract', `Event ${JSON.stringify(event)}: its schema (${vendor}) gives no JSON Schema. ${remedy}`, {
    event,
  })
}
