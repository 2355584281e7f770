/**
 * The control messages: events with reserved names, JSON for data and never an id of their own. A plain EventSource
 * may listen for them or never know. docs/protocol.md is their specification.
 */

/** `$ready`, first on every connection. */
export interface Ready {
  /** Identifies the incarnation of the server's log. */
  readonly epoch: string
  /** Whether the stream goes on right after the cursor that the client brought. */
  readonly resumed: boolean
  /** How many missed events are sent before live ones. */
  readonly replayed: number
  /** The longest silence to expect, in ms; 0 when there are no heartbeats. */
  readonly heartbeat: number
  /** The events whose data is raw text and not serialised. */
  readonly text: readonly string[]
  /** The terminal events: names; or an event's name and the text that makes it one. */
  readonly ends: readonly (string | { readonly event: string; readonly data: string })[]
}

/**
 * Why a stream could not go on from a cursor:
 * - `evicted`: the log no longer holds what followed it
 * - `epoch`: it belongs to another incarnation of the log
 * - `ahead`: it lies beyond the log's newest event
 * - `malformed`: it is no cursor of this server; or, from the client itself, no header can carry it
 * - `overflow`: the connection read so slowly that the log has dropped what it had yet to read; or, from the client itself, its handlers
 *   were so slow that its queue has
 * - `superseded`: the connection read slowly, and of the events that followed only the newest of each key are sent
 */
export type GapReason = 'evicted' | 'epoch' | 'ahead' | 'malformed' | 'overflow' | 'superseded'

/** `$gap`: events may have been lost. The cursor that follows it says where the stream goes on. */
export interface Gap {
  readonly reason: GapReason
  /** The cursor that the stream could not go on from, cut to 256 characters. Events between it and `oldest` are lost. */
  readonly requested: string
  /** The id of the event that the stream goes on with, if it is for this client; `''` when that is yet to come. */
  readonly oldest: string
}

/** Why the server is finished with a client. */
export type EndReason = 'done' | 'closed' | 'unauthorized'

/** `$end`: the server is finished with this client, which must not reconnect. */
export interface End {
  readonly reason: EndReason
}
