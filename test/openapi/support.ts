import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { validate, type SchemaFragment } from '@hyperjump/json-schema/openapi-3-2'
import { createParser } from 'eventsource-parser'
import { openapi, type JsonSchema, type OpenApiDocument, type OpenApiOptions } from 'eventwire/openapi'
import { market, type Market } from '../support/market.ts'
import { afterAll } from 'vitest'

/** A validator that knows OpenAPI reads documents from files. */
const folder = mkdtempSync(join(tmpdir(), 'openapi-'))
let files = 0
afterAll(() => rmSync(folder, { recursive: true }))

export const INFO = { title: 'Market', version: '1.0.0' }

/** A document of the market: its stream and its publish endpoint. */
export function describeMarket(options: Partial<OpenApiOptions<Market>> = {}): OpenApiDocument {
  return openapi(market, { document: { info: INFO }, stream: '/events', publish: '/publish', ...options })
}

/** A value as whoever reads it from a file has it, and as the validator takes it. */
export const jsonOf = (value: unknown): SchemaFragment => JSON.parse(JSON.stringify(value)) as SchemaFragment

/** What the official meta-schema of OpenAPI 3.2 has against a document; and references in it that lead nowhere, which it does not look at. */
export async function faultsOf(document: OpenApiDocument): Promise<string[]> {
  const output = await validate('https://spec.openapis.org/oas/3.2/schema-base', jsonOf(document), 'BASIC')
  const faults = output.valid ? [] : ['invalid', ...(output.errors ?? []).map(({ instanceLocation }) => instanceLocation)]
  return [...faults, ...refsOf(document).filter((ref) => at(document, ref) === undefined)]
}

/** Every `$ref`, and every target of a discriminator. */
function refsOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  const own = '$ref' in value && typeof value.$ref === 'string' ? [value.$ref] : []
  const mapped = 'mapping' in value && 'propertyName' in value ? Object.values(value.mapping as Record<string, string>) : []
  return [...own, ...mapped, ...Object.values(value).flatMap(refsOf)]
}

/** Objects that are there more than once. */
export function sharedIn(document: unknown): unknown[] {
  const seen = new Set<unknown>()
  const look = (value: unknown): unknown[] => {
    if (typeof value !== 'object' || value === null) return []
    if (seen.has(value)) return [value]
    seen.add(value)
    return Object.values(value).flatMap(look)
  }
  return look(document)
}

/** What a reference within a document leads to. */
export function at(document: object, ref: string): unknown {
  let found: unknown = document
  for (const step of decodeURIComponent(ref).split('/').slice(1)) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~')
    found = typeof found === 'object' && found !== null ? (found as Record<string, unknown>)[key] : undefined
  }
  return found
}

/** The fields of an event, once its block is parsed. */
export interface Item {
  readonly event?: string
  readonly data: string
  readonly id?: string
}

/** The events in the text of a stream, as the standard reads them. */
export function itemsOf(text: string): Item[] {
  const items: Item[] = []
  const parser = createParser({
    onEvent: ({ event, data, id }) => items.push({ ...(event !== undefined && { event }), data, ...(id !== undefined && { id }) }),
  })
  parser.feed(text)
  return items
}

/** Judges values by schemas of a document, with a validator that knows OpenAPI 3.2. */
export interface Judge {
  fits(ref: string, value: unknown): Promise<boolean>
  /** Whether an event fits the item schema, and its data the `contentSchema` of that event, which validators leave to their user. */
  accepts(item: object): Promise<boolean>
}

export function judge(document: OpenApiDocument, stream = '/events'): Judge {
  const file = join(folder, `${++files}.openapi.json`)
  writeFileSync(file, JSON.stringify(document))
  const fits = async (ref: string, value: unknown): Promise<boolean> =>
    (await validate(pathToFileURL(file).href + ref, jsonOf(value))).valid

  const operation = document.paths[stream]!.get ?? document.paths[stream]!.post!
  const item = operation.responses['200']!.content!['text/event-stream']!.itemSchema!.$ref!
  const { mapping, defaultMapping } = (at(document, item) as JsonSchema)['discriminator'] as {
    mapping: Record<string, string>
    defaultMapping?: string
  }
  const accepts = async (given: Partial<Item>): Promise<boolean> => {
    if (!(await fits(item, given))) return false
    const variant = given.event === undefined ? defaultMapping! : mapping[given.event]!
    const data = `${variant}/properties/data`
    const { contentMediaType, contentSchema } = at(document, data) as JsonSchema
    if (contentMediaType !== 'application/json' || !contentSchema) return true
    return fits(contentSchema.$ref ?? `${data}/contentSchema`, JSON.parse(given.data!))
  }
  return { fits, accepts }
}
