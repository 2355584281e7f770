import { EventwireError, messageOf } from '../errors.ts'
import type { DecodedMessage } from '../wire/decode.ts'

/** A stream that ended before the server has said that it is finished; perhaps it `said` why, in an event named `error`. */
export function interrupted(url: string, said?: string): EventwireError {
  const why = said === undefined ? '' : ` The server says: ${said}`
  return new EventwireError(
    'interrupted',
    `The stream from ${url} ended before it was complete.${why}`,
    said === undefined ? {} : { body: said },
  )
}

/** Something that the application gave to be asked has failed. */
export function hookFailed(hook: string, cause: unknown): EventwireError {
  return new EventwireError('hook-failed', `${hook} failed: ${messageOf(cause)}`, { cause })
}

/** A POST has failed that may have been carried out. */
export function notRepeated(error: EventwireError): EventwireError {
  const { code, message, status, body } = error
  const details = { cause: error, ...(status !== undefined && { status }), ...(body !== undefined && { body }) }
  return new EventwireError(code, `${message} A POST is sent again only with a cursor, or when it is idempotent.`, details)
}

/** As many attempts in a row have failed as may. */
export function exhausted(attempts: number, cause: EventwireError): EventwireError {
  return new EventwireError('retries-exhausted', `Gave up after ${attempts} attempts in a row; the last: ${cause.message}`, { cause })
}

/** More events wait to be handled than may. */
export function overflown(limit: number): EventwireError {
  return new EventwireError(
    'overflow',
    `More than ${limit} events wait to be handled. Handle them faster, or set limits.queue or overflow.`,
  )
}

/** A handler, at this event, has kept the stream waiting for long; or there is none. */
export function stalled(at: DecodedMessage | undefined): EventwireError {
  const what = at ? `A handler of event ${JSON.stringify(at.event)} has not finished` : 'No handler has come'
  return new EventwireError('handler-stalled', `${what} for 30 s, and the stream waits for it.`, at && { event: at.event, id: at.id })
}

/** The stream carries an event named `error`, which no contract can have: the server has something to say. */
export function serverError({ event, id, data }: DecodedMessage): EventwireError {
  return new EventwireError('server-error', `The server says: ${data}`, { event, id, body: data })
}
