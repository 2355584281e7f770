import { TEXT, type JsonSchema } from './json-schema.ts'

/** The data of a control message. Further members may come: a receiver ignores those that it does not know. */
function members(description: string, properties: Record<string, JsonSchema>): JsonSchema {
  return { description, type: 'object', properties, required: Object.keys(properties) }
}

/** The control messages of every stream, by name. docs/protocol.md is their specification. */
export const CONTROL: Readonly<Record<string, JsonSchema>> = {
  $ready: members('First on every connection.', {
    epoch: { ...TEXT, description: "The epoch of the server's log; empty where there is none." },
    resumed: { type: 'boolean', description: 'Whether the stream goes on right behind the id that the client brought.' },
    replayed: { type: 'integer', minimum: 0, description: 'How many missed events are sent before live ones.' },
    heartbeat: { type: 'integer', minimum: 0, description: 'The longest silence to expect, in milliseconds; 0: there are no heartbeats.' },
    text: { type: 'array', items: TEXT, description: 'The events whose data is raw text.' },
    ends: {
      type: 'array',
      items: { anyOf: [TEXT, { type: 'object', properties: { event: TEXT, data: TEXT }, required: ['event', 'data'] }] },
      description: "The events that complete the stream: names; or an event's name and the text that makes it one.",
    },
  }),
  $gap: members('Events may have been lost.', {
    reason: { ...TEXT, enum: ['evicted', 'epoch', 'ahead', 'malformed', 'overflow', 'superseded'] },
    requested: { ...TEXT, description: 'The id that the stream could not go on from.' },
    oldest: { ...TEXT, description: 'The id that the stream goes on with; empty when that is yet to come.' },
  }),
  $end: members('The server is finished with this client, which must not reconnect.', {
    reason: { ...TEXT, enum: ['done', 'closed', 'unauthorized'] },
  }),
}
