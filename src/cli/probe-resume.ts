import type { Ready } from '../wire/control.ts'
import type { DecodedMessage } from '../wire/decode.ts'
import { ask, isAnswer, type Answer, type NoAnswer } from './exchange.ts'
import { fail, ok, warn, type Finding } from './finding.ts'
import { isEventStream } from './head-findings.ts'
import { duration } from './terminal.ts'
import { watch, type Watched } from './watch.ts'

/** Whether the server says itself whether it goes on: an emitter does; a stream that is made for its request has no epoch, and never does. */
export function declaresResume(ready: Ready | undefined): boolean {
  return ready !== undefined && ready.epoch !== ''
}

/** Asks again from where the stream was, and looks whether it goes on there. */
export async function probeResume(
  url: string,
  headers: Headers,
  { before, id, last, ready }: Watched,
  patience: number,
): Promise<Finding[]> {
  const cursor = before || id
  if (cursor === '') return []
  const expected = before === '' ? undefined : last
  const asked = new Headers(headers)
  // As fetch has it: one character for each byte of UTF-8.
  asked.set('last-event-id', Buffer.from(cursor).toString('latin1'))
  const answer = await ask({ url, headers: asked, patience })
  if (!isAnswer(answer) || !isEventStream(answer)) return [refused(cursor, answer, expected !== undefined, patience)]
  const declares = declaresResume(ready)
  const again = await watch(answer, patience, ({ ready: said, gap, placed }) =>
    declares ? said !== undefined && (said.resumed || gap !== undefined) : placed !== undefined,
  )
  return [declares ? declared(cursor, again) : compared(cursor, expected, again)]
}

function refused(cursor: string, answer: Answer | NoAnswer, mustFollow: boolean, patience: number): Finding {
  const todo = 'a client that was cut off cannot come back: answer at once, with the stream from behind that id.'
  if (answer === 'silence')
    return (mustFollow ? fail : warn)('resume', `asked for what follows ${cursor}, no response came in ${duration(patience)}`, todo)
  if (!isAnswer(answer)) return fail('resume', `asked for what follows ${cursor}, the connection failed`, todo)
  answer.close()
  return fail('resume', `asked for what follows ${cursor}, the answer is ${answer.status}`, todo)
}

/** What an emitter says itself. */
function declared(cursor: string, { ready, gap }: Watched): Finding {
  if (ready?.resumed) return ok('resume', `went on right behind ${cursor}; events that were missed: ${ready.replayed}`)
  if (gap)
    return fail(
      'resume',
      `behind ${cursor} there is a gap: ${gap.reason}`,
      'events are lost to clients that reconnect: have every node share one log, and hold enough of it.',
    )
  return fail(
    'resume',
    `did not go on behind ${cursor}, and does not say why`,
    'see whether another server answers, one that knows nothing of this stream.',
  )
}

/** What any other server does, by what it had sent before. */
function compared(cursor: string, expected: DecodedMessage | undefined, { placed, lasted }: Watched): Finding {
  const todo =
    'have the server read Last-Event-ID and send what followed: what a client misses while it is cut off is lost otherwise, in silence.'
  if (!expected) {
    if (placed?.id === cursor) return fail('resume', `behind ${cursor} the same event came again`, todo)
    return warn(
      'resume',
      `cannot be told: only one id was seen, ${cursor}`,
      'watch for longer with --time, until two events with ids have come.',
    )
  }
  const { id } = expected
  if (placed?.id === id) return ok('resume', `behind ${cursor} came ${id}, as before`)
  const came = placed ? `${placed.id} came` : `no event with an id came in ${duration(lasted)}`
  return fail('resume', `asked for what follows ${cursor}, ${came}; before, ${id} had followed`, todo)
}
