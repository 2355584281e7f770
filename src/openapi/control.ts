import { TEXT, type JsonSchema } from './json-schema.ts'

/** The data of a control message. Further members may come: a receiver ignores those that it does not know. */
function members(description: string, properties: Record<string, JsonSchema>): JsonSchema {
  return { description, type: 'object', properties, required: Object.keys(properties) }
}

/** The control messages of every stream, by name. docs/protocol.md is their specification. */
export const CONTROL: Readonly<Record<string, JsonSchema>> = {
  $ready: members('The first message on every connection.', {
    epoch: { ...TEXT, description: "The epoch of the server's log; empty if there is none." },
    resumed: { type: 'boolean', description: 'Whether the stream resumes right after the id that the client sent.' },
    replayed: { type: 'integer', minimum: 0, description: 'The number of missed events that are sent before live ones.' },
    heartbeat: {
      type: 'integer',
      minimum: 0,
      description: 'The longest silence to expect, in milliseconds; 0 if there are no heartbeats.',
    },
    text: { type: 'array', items: TEXT, description: 'The events whose data is raw text.' },
    ends: {
      type: 'array',
      items: { anyOf: [TEXT, { type: 'object', properties: { event: TEXT, data: TEXT }, required: ['event', 'data'] }] },
      description: 'The events that end the stream: a name, or a name and the data with which it does.',
    },
  }),
  $gap: members('Events may have been lost.', {
    reason: { ...TEXT, enum: ['evicted', 'epoch', 'ahead', 'malformed', 'overflow', 'superseded'] },
    requested: { ...TEXT, description: 'The id that the stream could not resume from.' },
    oldest: { ...TEXT, description: 'The id that the stream continues with; empty if it is not known yet.' },
  }),
  $end: members('The server is finished with this client, which must not reconnect.', {
    reason: { ...TEXT, enum: ['done', 'closed', 'unauthorized'] },
  }),
}
