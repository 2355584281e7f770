import type { JsonSchema } from './json-schema.ts'

/** The document to add to: no more than `info`, or all that another tool, or an earlier call, has made. */
export interface AsyncApiBase {
  /** Default: `3.0.0`. */
  asyncapi?: string
  info: { title: string; version: string; description?: string }
  /** By name, such as `{ production: { host: 'api.example.com', protocol: 'https' } }`. */
  servers?: object
  channels?: object
  operations?: object
  components?: object
  id?: string
  defaultContentType?: string
}

/** An AsyncAPI 3 document, as plain JSON. It is yours: change in it what you like. */
export interface AsyncApiDocument extends AsyncApiBase {
  asyncapi: string
  channels: Record<string, AsyncApiChannel>
  operations: Record<string, AsyncApiOperation>
  components: AsyncApiComponents
}

/** What a document has for others to point at; `schemas` holds those of the events. */
export interface AsyncApiComponents {
  schemas: Record<string, JsonSchema>
  [kind: string]: unknown
}

/** A path, and the messages that go over it. */
export interface AsyncApiChannel {
  address: string
  description?: string
  parameters?: Record<string, object>
  messages: Record<string, AsyncApiMessage>
  [member: string]: unknown
}

/** An event, or what is published. */
export interface AsyncApiMessage {
  /** The name of the event on the wire. */
  name?: string
  description?: string
  /** The media type of the event's data. */
  contentType?: string
  /** The other fields of the event's block. */
  headers?: JsonSchema
  /** The event's data, read. */
  payload?: JsonSchema
  [member: string]: unknown
}

/** What the server does with a channel. */
export interface AsyncApiOperation {
  /** `send`: the server sends it, and clients hear it. `receive`: the other way round. */
  action: 'send' | 'receive'
  channel: { $ref: string }
  summary?: string
  description?: string
  messages?: { $ref: string }[]
  reply?: { channel: { $ref: string }; messages: { $ref: string }[] }
  bindings?: { http: object; [protocol: string]: object }
  [member: string]: unknown
}
