import type { LogPage, LogRecord } from '../server/log.ts'
import { createDecoder, type DecodedMessage } from '../wire/decode.ts'
import { holds, same } from './log-clauses.ts'

/** What the next write might begin with. */
const NEXT = new TextEncoder().encode('data: next\n\n')

/** Reads the bytes of a page as a client does. Fails unless they are events and nothing else. */
export function decode(bytes: Uint8Array): DecodedMessage[] {
  const events: DecodedMessage[] = []
  const others: string[] = []
  const decoder = createDecoder({
    onMessage: (event) => events.push(event),
    onCursor: (id) => others.push(`the id ${id} without data`),
    onRetry: (retry) => others.push(`retry: ${retry}`),
    onComment: (comment) => others.push(`a comment, ${comment}`),
    maxEventBytes: Infinity,
  })
  decoder.push(bytes)
  decoder.push(NEXT)
  same('wire', 'what a page holds besides events', others, [])
  same('wire', 'the data of the event behind a page', events.pop()?.data, 'next')
  return events
}

/** The number in an id. Fails unless it is an id of that epoch. */
export function seqOf(id: unknown, epoch: string): number {
  const digits = typeof id === 'string' && id.startsWith(`${epoch}-`) ? id.slice(epoch.length + 1) : ''
  holds('id', `an id that begins with ${epoch}- and ends in a number from 1`, /^[1-9]\d{0,15}$/.test(digits), id)
  return Number(digits)
}

/** The numbers of the events of a page that was read behind `after`. Fails unless it is what every page must be. */
export function seqsOf(page: LogPage, after: number, epoch: string, appended: ReadonlyMap<string, LogRecord>): number[] {
  const events = decode(page.bytes)
  const seqs = events.map(({ id }) => seqOf(id, epoch))
  for (const [i, { id, event, data }] of events.entries()) {
    holds('page', `numbers that ascend from ${after + 1}`, seqs[i]! > (seqs[i - 1] ?? after), seqs)
    const record = appended.get(id)
    if (record) same('wire', `the event ${id}`, { event, data }, { event: record.event, data: record.data.replaceAll(/\r\n?/g, '\n') })
  }
  const least = seqs.at(-1) ?? after + 1
  holds('page', `last of ${least} or more`, page.last >= least, page.last)
  same('page', 'lastLeftOut', page.lastLeftOut, seqs.at(-1) !== page.last)
  return seqs
}
