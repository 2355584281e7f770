import type { LogRecord } from '../server/log.ts'
import { encodeEntry } from '../wire/encode.ts'

/** An event as Redis has it. */
export interface Entry {
  readonly seq: number
  /** What it was written with. */
  readonly mark: string
  /** The mark of the one before, where it is the first of a batch. */
  readonly previous: string | undefined
  /** Undefined when it is none of ours. */
  readonly record: LogRecord | undefined
}

/** Entries of a stream, as `XRANGE` gives them. */
export function entriesOf(reply: unknown): Entry[] {
  return Array.isArray(reply) ? reply.map(entryOf) : []
}

/** Entries of the one stream that `XREAD` was asked for; RESP 2 has streams in an array, RESP 3 in a map. */
export function entriesRead(reply: unknown): Entry[] {
  if (Array.isArray(reply)) {
    const [stream] = reply as unknown[]
    return entriesOf(Array.isArray(stream) ? stream[1] : reply[1])
  }
  if (reply instanceof Map) return entriesOf([...reply.values()][0])
  return entriesOf(typeof reply === 'object' && reply !== null ? Object.values(reply)[0] : undefined)
}

/** How many characters of data they hold. */
export function charsOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, { record }) => sum + (record?.data.length ?? 0), 0)
}

function entryOf(entry: unknown): Entry {
  const [id, fields] = entry as [unknown, unknown[]]
  const values = new Map<string, string>()
  for (let i = 0; i < fields.length; i += 2) values.set(String(fields[i]), String(fields[i + 1]))
  const [event, data, mark = ''] = ['e', 'd', 'w'].map((name) => values.get(name))
  const record = isEvent(event, data) ? { event, data: data!, topic: values.get('t'), key: values.get('k') } : undefined
  return { seq: Number(String(id).split('-')[0]), mark, previous: values.get('p'), record }
}

/** Whether it can be sent: others may have written what eventwire would have refused. */
function isEvent(event: string | undefined, data: string | undefined): event is string {
  if (event === undefined || data === undefined) return false
  try {
    return encodeEntry('', event, data) !== ''
  } catch {
    return false
  }
}
