import type { JsonSchema } from './json-schema.ts'

/** What an OpenAPI document says of the API as a whole. */
export interface OpenApiInfo {
  title: string
  version: string
  summary?: string
  description?: string
  termsOfService?: string
  contact?: object
  license?: object
}

/** The document to add to: no more than `info`, or all that another tool, or an earlier call, has made. */
export interface OpenApiBase {
  /** 3.1 becomes 3.2, which has all of it. Default: `3.2.0`. */
  openapi?: string
  info: OpenApiInfo
  servers?: readonly object[]
  paths?: object
  components?: object
  webhooks?: object
  security?: readonly object[]
  tags?: readonly object[]
  externalDocs?: object
  jsonSchemaDialect?: string
}

/** An OpenAPI 3.2 document, as plain JSON. It is yours: change in it what you like. */
export interface OpenApiDocument extends OpenApiBase {
  openapi: string
  paths: Record<string, OpenApiPathItem>
  components: OpenApiComponents
}

/** What a document has for others to point at; `schemas` holds those of the events. */
export interface OpenApiComponents {
  schemas: Record<string, JsonSchema>
  [kind: string]: unknown
}

/** What one path answers, by method. */
export interface OpenApiPathItem {
  get?: OpenApiOperation
  post?: OpenApiOperation
  [member: string]: unknown
}

/** What one method of a path does. */
export interface OpenApiOperation {
  operationId?: string
  summary?: string
  description?: string
  tags?: string[]
  security?: object[]
  parameters?: OpenApiParameter[]
  requestBody?: OpenApiRequestBody
  responses: Record<string, OpenApiResponse>
  [member: string]: unknown
}

/** A parameter of a request. */
export interface OpenApiParameter {
  name: string
  in: 'path' | 'query' | 'header' | 'cookie'
  description?: string
  required?: boolean
  schema?: JsonSchema
  [member: string]: unknown
}

/** The body of a request, by media type. */
export interface OpenApiRequestBody {
  description?: string
  required?: boolean
  content: Record<string, OpenApiMediaType>
}

/** A response, by media type. */
export interface OpenApiResponse {
  description: string
  headers?: Record<string, { description?: string; schema?: JsonSchema }>
  content?: Record<string, OpenApiMediaType>
}

/** What a body of one media type is like. */
export interface OpenApiMediaType {
  /** The schema of the whole content. */
  schema?: JsonSchema
  /** The schema of each item of a stream, new in OpenAPI 3.2. */
  itemSchema?: JsonSchema
}
