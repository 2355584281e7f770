import type { Contract } from '../contract.ts'
import type { Components } from './components.ts'
import { JSON_TYPE, PROBLEM, publicationOf, PUBLISHED, publishedEvents, streamedEvents } from './events.ts'
import { pascal } from './names.ts'
import { pathNames, type DescribeOptions } from './options.ts'
import { anyEvent, pathParameter, RETRY_AFTER } from './stream.ts'
import type { OpenApiOperation, OpenApiResponse } from './types.ts'

/** The operation that publishes an event. */
export function publishOperation(components: Components, contract: Contract, path: string, options: DescribeOptions): OpenApiOperation {
  const parameters = pathNames(path).map(pathParameter)
  const content = { 'application/problem+json': { schema: components.add('Problem', PROBLEM) } }
  const problem = (description: string, headers?: OpenApiResponse['headers']): OpenApiResponse => ({
    description,
    ...(headers && { headers }),
    content,
  })
  return {
    summary: 'Publishes an event.',
    ...(parameters.length > 0 && { parameters }),
    requestBody: { required: true, content: { [JSON_TYPE]: { schema: addPublication(components, contract, options) } } },
    responses: {
      202: { description: 'Published.', content: { [JSON_TYPE]: { schema: components.add('Published', PUBLISHED) } } },
      400: problem('The body is not valid JSON of this form.'),
      401: { description: 'Not authenticated.' },
      403: problem('Not allowed.'),
      408: problem('The body took too long to arrive.'),
      413: problem('The body or the event is too large.'),
      415: problem('Content-Type is not application/json, or the body has a content-encoding.'),
      422: problem('Unknown event, or its data does not match the schema; see `issues`.'),
      500: problem('Internal server error.'),
      503: problem('The server is shutting down, or cannot reach its log.', RETRY_AFTER),
    },
  }
}

/** Adds a schema for each publication, and one for any of them. Where a stream carries just what may be published, that is one schema too. */
function addPublication(components: Components, contract: Contract, options: DescribeOptions): { $ref: string } {
  const streamed = options.stream === undefined ? [] : streamedEvents(contract, options, 'draft-2020-12')
  const texts = new Map(streamed.map(({ event, schema }) => [event, JSON.stringify(schema)]))
  const events = publishedEvents(contract, options, 'draft-2020-12').map(([event, schema]) => {
    const kind = texts.get(event) === JSON.stringify(schema) ? 'Data' : 'Input'
    const data = components.addData(`${pascal(event)}${kind}`, schema)
    return [event, components.add(`${pascal(event)}Publication`, publicationOf(event, data))] as const
  })
  return components.add(`${pascal(contract.name ?? '')}Publication`, anyEvent('An event to publish.', events))
}
