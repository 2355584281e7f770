export { openapi, type OpenApiOptions } from './openapi.ts'
export { asyncapi, type AsyncApiOptions } from './asyncapi.ts'
export type {
  AsyncApiBase,
  AsyncApiChannel,
  AsyncApiComponents,
  AsyncApiDocument,
  AsyncApiMessage,
  AsyncApiOperation,
} from './asyncapi-types.ts'
export type { DescribeOptions } from './options.ts'
export type { JsonSchema } from './json-schema.ts'
export type {
  OpenApiBase,
  OpenApiComponents,
  OpenApiDocument,
  OpenApiInfo,
  OpenApiMediaType,
  OpenApiOperation,
  OpenApiParameter,
  OpenApiPathItem,
  OpenApiRequestBody,
  OpenApiResponse,
} from './types.ts'
