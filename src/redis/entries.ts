import type { LogRecord } from '../server/log.ts'

/** An event as Redis has it. */
export interface Entry {
  readonly seq: number
  /** What it was written with. */
  readonly mark: string
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

function entryOf(entry: unknown): Entry {
  const [id, fields] = entry as [unknown, unknown[]]
  const values = new Map<string, string>()
  for (let i = 0; i < fields.length; i += 2) values.set(String(fields[i]), String(fields[i + 1]))
  const [event, data, mark = ''] = ['e', 'd', 'w'].map((name) => values.get(name))
  const record = event === undefined || data === undefined ? undefined : { event, data, topic: values.get('t'), key: values.get('k') }
  return { seq: Number(String(id).split('-')[0]), mark, record }
}
