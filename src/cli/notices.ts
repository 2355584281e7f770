import type { EventwireError } from '../errors.ts'
import type { Status } from '../client/status.ts'
import type { TraceEvent } from '../client/trace.ts'
import type { EndReason, GapReason } from '../wire/control.ts'
import { remedyOf, remedyOfStatus } from './remedy.ts'
import { duration, painter, printable } from './terminal.ts'

/** How much of what a server says is shown, in characters. */
const EXCERPT = 200

/** Why a stream could not go on from a cursor. */
export const GAPS = textsOf<GapReason>({
  evicted: 'the server no longer holds them, its log is too short for so long an absence',
  epoch: 'the server has another log than before, as after a restart',
  ahead: 'the server does not know of that one, it has lost the end of its log',
  malformed: 'that is no id of this server',
  overflow: 'this client has read too slowly',
  superseded: 'this client has read slowly, and of some events only the newest are sent',
})

const ENDS = textsOf<EndReason>({
  done: 'the stream is complete',
  closed: 'it is finished with this client',
  unauthorized: 'this client may not read it any longer',
})

/** What is said to each reason. A map, as a server may send any word, and objects have members of their own. */
function textsOf<Reason extends string>(texts: Readonly<Record<Reason, string>>): ReadonlyMap<string, string> {
  return new Map<string, string>(Object.entries(texts))
}

/** Says something beside the events, on standard error. */
export function notify(text: string | undefined): void {
  if (text !== undefined) console.error(painter(process.stderr)('dim', printable(`# ${text}`)))
}

/** What there is to say of a status. */
export function statusNotice(status: Status): string | undefined {
  if (status.state === 'open') return 'open'
  if (status.state === 'closed' || status.retryAt === undefined) return undefined
  const wait = `Trying again in ${duration(status.retryAt - Date.now())}.`
  return status.error ? `${describe(status.error)} ${wait}` : wait
}

/** What there is to say of an end that the server has declared. */
export function endNotice(event: TraceEvent): string | undefined {
  if (event.type === 'response' && event.status === 204) return '204: the server has nothing for this client, and says not to come back.'
  if (event.type !== 'message' || event.message.event !== '$end') return undefined
  const reason = /"reason"\s*:\s*"(\w+)"/.exec(event.message.data)?.[1] ?? ''
  return `the server says: ${ENDS.get(reason) ?? `not to come back ${printable(reason)}`}.`
}

/** A fault, what the server said with it, and what to do. */
export function describe(error: EventwireError): string {
  const { message, status, body } = error
  const said = body?.trim() && status !== undefined ? `It says: ${excerpt(body)}` : ''
  const remedy = remedyOf(error) ?? (status === undefined ? '' : (remedyOfStatus(status) ?? ''))
  return [message.replace(/[^.?!…]$/, '$&.'), said, remedy].filter(Boolean).join(' ')
}

/** The beginning of what a server says. */
export function excerpt(text: string): string {
  const line = text.trim().replace(/\s+/g, ' ')
  return line.length > EXCERPT ? `${line.slice(0, EXCERPT)}…` : line
}
