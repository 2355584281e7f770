import { TEXT, type JsonSchema } from './json-schema.ts'

const HOME = '#/components/schemas/'

/** Keywords whose value is data, in which `$ref` means nothing. */
const DATA = new Set(['const', 'enum', 'default', 'examples', 'example'])
/** Keywords whose value maps names to schemas: its keys are no keywords. */
const MAPS = new Set(['properties', 'patternProperties', 'dependentSchemas', '$defs', 'definitions'])

/**
 * The schemas of a document, under `components.schemas`. What a library gives is a document of its own, whose `$ref`s start at its root:
 * its definitions are moved here, where those that are alike become one, and each `$ref` is set right.
 */
export class Components {
  readonly #schemas: Map<string, JsonSchema>

  constructor(given: Readonly<Record<string, JsonSchema>> = {}) {
    this.#schemas = new Map(Object.entries(given))
  }

  get schemas(): Record<string, JsonSchema> {
    return Object.fromEntries(this.#schemas)
  }

  /** Adds a schema with its definitions, and gives the reference to it. It gets the name that was asked for, unless that is another's: then a number as well. */
  add(name: string, schema: JsonSchema): { $ref: string } {
    const places = placesOf(name, schema)
    const parts = [...new Set(places.values())]
    // To rename one changes what others say, which may then differ from what the document has by their names.
    for (let settled = false; !settled;) {
      settled = true
      const taken = new Set<string>()
      for (const part of parts) {
        part.written = rewrite(part.content, (ref) => resolve(ref, places)) as JsonSchema
        if (taken.has(part.name) || !this.#fits(part)) {
          part.name = `${part.base}${++part.count}`
          settled = false
        }
        taken.add(part.name)
      }
    }
    for (const part of parts) this.#schemas.set(part.name, part.written)
    return { $ref: resolve('#', places) }
  }

  /** The same for the data of an event. Raw text of which no more is said stays where it is used. */
  addData(name: string, schema: JsonSchema): JsonSchema {
    return schema === TEXT ? schema : this.add(name, schema)
  }

  #fits({ name, written }: Part): boolean {
    const there = this.#schemas.get(name)
    return there === undefined || JSON.stringify(there) === JSON.stringify(written)
  }
}

/** A schema that gets a place of its own. */
interface Part {
  readonly content: JsonSchema
  /** The name that it would have, and as the how-manieth of those that want it. */
  readonly base: string
  count: number
  name: string
  written: JsonSchema
}

/** The schema and its definitions, each by the JSON Pointers that mean it. Definitions come first: who has named one wants that name. */
function placesOf(name: string, { $defs = {}, definitions = {}, ...root }: JsonSchema): Map<string, Part> {
  // The document says what its schemas are written in.
  delete root['$schema']
  const groups = Object.entries({ $defs, definitions }) as [string, Record<string, JsonSchema>][]
  const definitionsOf = groups.flatMap(([keyword, group]) => Object.entries(group).map(([key, content]) => ({ keyword, key, content })))
  const [only, ...more] = Object.keys(root)
  // A schema that only points at its definition needs no place besides that.
  const alias = only === '$ref' && more.length === 0 ? decoded(root.$ref!) : undefined
  const places = new Map<string, Part>()
  for (const [i, { keyword, key, content }] of definitionsOf.entries()) {
    const pointer = `#/${keyword}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    places.set(pointer, partOf(nameOf(key) ?? (pointer === alias ? name : `${name}Part${i + 1}`), content))
  }
  places.set('#', (alias !== undefined && places.get(alias)) || partOf(name, root))
  return places
}

function partOf(name: string, content: JsonSchema): Part {
  return { content, base: name, count: 1, name, written: content }
}

/** The name of a definition; `undefined` where the library has only counted it, and might count otherwise next time. */
function nameOf(key: string): string | undefined {
  if (/^(__schema|alias|intersection|morph|union)?\d+$/.test(key)) return undefined
  return key.replaceAll(/[^\w.-]+/g, '_').replace(/^__/, '_')
}

/** The schema with each of its references changed. */
function rewrite(schema: unknown, change: (ref: string) => string): unknown {
  if (Array.isArray(schema)) return schema.map((item) => rewrite(item, change))
  return mapObject(schema, (value, keyword) => {
    if (keyword === '$ref' && typeof value === 'string') return change(value)
    if (DATA.has(keyword)) return value
    return MAPS.has(keyword) ? mapObject(value, (it) => rewrite(it, change)) : rewrite(value, change)
  })
}

function mapObject(value: unknown, change: (value: unknown, key: string) => unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, it]) => [key, change(it, key)]))
}

/** Where a reference of the schema leads in the document. What leads elsewhere, or into the document already, stays as it is. */
function resolve(ref: string, places: ReadonlyMap<string, Part>): string {
  if (!(ref === '#' || ref.startsWith('#/')) || ref.startsWith(HOME)) return ref
  const pointer = decoded(ref)
  for (const [place, { name }] of places) {
    if (pointer === place || pointer.startsWith(`${place}/`)) return `${HOME}${name}${encodeURI(pointer.slice(place.length))}`
  }
  return ref
}

/** A fragment may have its characters percent-encoded. */
function decoded(ref: string): string {
  try {
    return decodeURIComponent(ref)
  } catch {
    return ref
  }
}
