import type { Contract } from '../contract.ts'
import { EventwireError } from '../errors.ts'
import { Components } from './components.ts'
import { copyOf } from './copy.ts'
import { free, pascal } from './names.ts'
import { checkDescribe, type DescribeOptions } from './options.ts'
import { publishOperation } from './publish.ts'
import { streamOperation } from './stream.ts'
import type { OpenApiBase, OpenApiComponents, OpenApiDocument, OpenApiOperation, OpenApiParameter, OpenApiPathItem } from './types.ts'

/** Options of {@link openapi}. */
export interface OpenApiOptions<C extends Contract = Contract> extends DescribeOptions<C> {
  /** What the document says besides: `{ info: { title, version } }` at least; or a whole document, to which the streams are added. It stays as it is. */
  document: OpenApiBase
  /** Further parameters of the stream, such as a query that says the topics. One of the same name and place replaces ours. Default: none. */
  parameters?: readonly OpenApiParameter[] | undefined
  /** The statuses that the `connect` hook refuses with: 204, or 300 to 599. Default: `[401, 403]`. */
  refusals?: readonly number[] | undefined
}

/**
 * Describes streams of a contract as an OpenAPI 3.2 document: the fields of each event, what is in its data, how to resume, the statuses;
 * and the publish endpoint. Schemas are asked for their JSON Schema by way of Standard JSON Schema.
 *
 * @returns A new document, as plain JSON.
 * @throws EventwireError `invalid-contract` for an event whose schema gives no JSON Schema; `invalid-option`, which names the option, also
 * for a path and method that the document has already.
 */
export function openapi<C extends Contract>(contract: C, options: OpenApiOptions<C>): OpenApiDocument {
  checkDescribe('openapi', contract, options, ['parameters', 'refusals'])
  const { document, stream, method = 'get', publish, parameters = [], refusals = [401, 403] } = options
  const { openapi: version = '3.2.0', ...rest } = document
  const given = (document.components ?? {}) as Partial<OpenApiComponents>
  checkLists(parameters, refusals)
  const components = new Components(given.schemas)
  const paths = { ...document.paths } as Record<string, OpenApiPathItem>

  const taken = new Set(operationIds(paths))
  const add = (path: string, verb: 'get' | 'post', name: string, operation: OpenApiOperation): void => {
    if (paths[path]?.[verb]) throw new EventwireError('invalid-option', `openapi: the document has ${verb.toUpperCase()} ${path} already.`)
    const operationId = free(name, taken)
    taken.add(operationId)
    paths[path] = { ...paths[path], [verb]: { operationId, ...operation } }
  }
  const name = pascal(contract.name ?? '')
  if (stream !== undefined) {
    add(stream, method, `stream${name || 'Events'}`, streamOperation(components, contract, stream, options, parameters, refusals))
  }
  if (publish !== undefined) add(publish, 'post', `publish${name || 'Event'}`, publishOperation(components, contract, publish, options))
  return copyOf({ openapi: streaming(version), ...rest, paths, components: { ...given, schemas: components.schemas } })
}

/** Refuses what would make a document that is none. Throws `invalid-option`. */
function checkLists(parameters: readonly OpenApiParameter[], refusals: readonly number[]): void {
  const places = ['path', 'query', 'header', 'cookie']
  const refuse = (name: string, value: unknown, wanted: string): never => {
    throw new EventwireError('invalid-option', `openapi: ${name} has ${JSON.stringify(value)}; ${wanted}.`)
  }
  for (const it of parameters) {
    if (!it?.name || !places.includes(it.in)) refuse('parameters', it, `each has a name, and in: ${places.join(', ')}`)
  }
  for (const status of refusals) {
    const refused = Number.isInteger(status) && status >= 300 && status <= 599
    if (!refused && status !== 204) refuse('refusals', status, 'give 204, or statuses from 300 to 599')
  }
}

/** The version that has streams: `itemSchema` is new in 3.2, which has all of 3.1. What came before wrote schemas otherwise. */
function streaming(version: string): string {
  if (version.startsWith('3.2.')) return version
  if (version.startsWith('3.1.')) return '3.2.0'
  throw new EventwireError('invalid-option', `openapi: the document is of OpenAPI ${version}; streams can be added to 3.1.x and 3.2.x.`)
}

function operationIds(paths: Readonly<Record<string, OpenApiPathItem>>): string[] {
  return Object.values(paths).flatMap((item) =>
    Object.values(item).flatMap((operation) => (operation as Partial<OpenApiOperation> | undefined)?.operationId ?? []),
  )
}
