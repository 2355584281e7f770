import { fail, ok, warn, type Finding } from './finding.ts'
import { excerpt } from './notices.ts'
import { duration } from './terminal.ts'
import type { Watched } from './watch.ts'

/** A pause within a line, in ms, that is longer than networks need to send again what they have lost: somebody holds the rest of it. */
const TORN = 1_500
/** So many shorter ones are no accident, where they are most of all that there are: blocks of a buffer end where they will, writes do not. */
const TORN_PAUSES = 3
/** How late, in ms, bytes come that are not sent at once. */
const LATE = 2_000
/** A silence, in ms, beyond which some proxies and networks cut a connection. */
const LONG_SILENCE = 30_000
/** How long a stream goes on, in ms, that says something of its pace. */
const BRIEF = 1_000

const BUFFERING_OFF =
  'buffering off where it is: the header x-accel-buffering: no, or proxy_buffering off, for nginx; no compression on the way; a flush after each event in the server.'
const UNBUFFER = `turn ${BUFFERING_OFF}`
const BEAT = 'send a comment (":" and a blank line) each 15 s: proxies cut what is silent, and clients cannot tell it from what is dead.'

/** What is known of heartbeats: that one came, or that none was due; `undefined` when it is not known yet. */
export function signOfLife({ beats, ready, events, finished, lasted, silence }: Watched): string | undefined {
  const heartbeat = ready?.heartbeat ?? 0
  // One that came earlier was sent because the stream began, and not because its time had come.
  if (beats.some((at) => at > Math.min(1_000, (heartbeat || Infinity) / 2))) return 'seen'
  // Events are signs of life themselves, so a server that is busy with them sends no others.
  const busy = events > 0 && silence < heartbeat
  return busy && (finished || lasted > heartbeat * 1.5) ? 'not needed, as events came' : undefined
}

/** What was seen of a stream. */
export function streamFindings(watched: Watched): Finding[] {
  return [
    ...formatFindings(watched),
    ...timeFindings(watched),
    idFinding(watched),
    ...nameFindings(watched),
    ...retryFindings(watched),
    ...endFindings(watched),
  ]
}

function formatFindings({ fault, bytes, events, beats, ready, unfinished, excerpt: text, lasted }: Watched): Finding[] {
  if (fault) return [fail('format', fault, 'send smaller events.')]
  const said = excerpt(text)
  if (unfinished && events === 0 && !ready)
    return [fail('format', `an event is begun and not ended: ${said}`, 'end each event with a blank line; without, no client hears it.')]
  if (bytes === 0 || text === '' || events > 0 || beats.length > 0 || ready) return []
  return [
    fail(
      'format',
      `nothing in ${duration(lasted)} that is an event, a comment or an id: ${said}`,
      'a line of data begins with "data: ", and a blank line ends the event.',
    ),
  ]
}

/** What takes time to see: of a stream that was over at once there is only what was amiss. */
function timeFindings(watched: Watched): Finding[] {
  const findings = [bufferingFinding(watched), heartbeatFinding(watched)]
  const over = watched.finished || watched.end !== undefined
  return over && watched.lasted < BRIEF ? findings.filter(({ level }) => level === 'fail') : findings
}

function bufferingFinding(watched: Watched): Finding {
  const { bytes, excerpt: text, first, torn, pauses, tornPauses, lasted, ready } = watched
  const seen = `in ${duration(lasted)}`
  if (bytes === 0)
    return warn(
      'buffering',
      `not a byte ${seen} behind the head: a quiet server, or a proxy that holds the stream back`,
      `have the server send a comment at once and each 15 s, and look again. Turn ${BUFFERING_OFF}`,
    )
  if (text === '')
    return fail(
      'buffering',
      `${bytes} bytes came compressed, and nothing could be read of them ${seen}`,
      'flush the compression after each event, or do not compress.',
    )
  if (torn > TORN) return fail('buffering', `the stream stood still for ${duration(torn)} in the midst of a line`, UNBUFFER)
  if (tornPauses >= TORN_PAUSES && tornPauses > pauses / 2)
    return fail('buffering', `${tornPauses} of ${pauses} pauses were in the midst of a line`, UNBUFFER)
  if (ready && first !== undefined && first > LATE)
    return fail('buffering', `the first bytes came ${duration(first)} behind the head, and the server sends them at once`, UNBUFFER)
  const together = bunched(watched)
  if (together > 0)
    return fail(
      'buffering',
      `heartbeats, sent each ${duration(ready?.heartbeat ?? 0)}, came together; right behind another: ${together}`,
      UNBUFFER,
    )
  return ok('buffering', `none seen ${seen}, the first bytes ${duration(first ?? 0)} behind the head`)
}

/** How many heartbeats came close upon the one before. */
function bunched({ beats, ready, gap }: Watched): number {
  // Behind a gap there is an id that is no heartbeat.
  if (gap) return 0
  const interval = ready?.heartbeat ?? 0
  const later = beats.filter((at) => at > interval / 2)
  return interval < 1_000 ? 0 : later.filter((at, i) => i > 0 && at - later[i - 1]! < interval / 4).length
}

function heartbeatFinding(watched: Watched): Finding {
  const { ready, silence, lasted, beats } = watched
  const longest = `the longest silence was ${duration(silence)}`
  const sign = signOfLife(watched)
  if (!ready) {
    if (sign) return ok('heartbeats', `comments come, or ids without events; ${longest}`)
    return warn(
      'heartbeats',
      `none seen in ${duration(lasted)}${beats.length > 0 ? ' but at the beginning' : ''}, ${longest}`,
      silence < lasted / 2 ? `where events may stay away for long, ${BEAT}` : BEAT,
    )
  }
  const { heartbeat } = ready
  if (heartbeat === 0) return warn('heartbeats', `the server announces that it sends none; ${longest}`, BEAT)
  const announced = `announced each ${duration(heartbeat)}`
  if (silence > heartbeat * 1.5 + 1_000)
    return fail(
      'heartbeats',
      `${announced}, and ${longest}`,
      `something on the way holds them back, or the server is overloaded. Turn ${BUFFERING_OFF}`,
    )
  if (!sign)
    return warn(
      'heartbeats',
      `${announced}; not seen in ${duration(lasted)}`,
      `watch for longer: --time ${Math.ceil((Math.max(heartbeat, lasted) * 1.5) / 1_000)}.`,
    )
  if (heartbeat > LONG_SILENCE)
    return warn('heartbeats', `${announced}, and ${sign}`, 'some proxies cut what is silent for 30 s: send them each 15 s.')
  return ok('heartbeats', `${announced}, and ${sign}; ${longest}`)
}

function idFinding({ events, identified, id, lasted }: Watched): Finding {
  if (events === 0 && id === '')
    return warn('ids', `no event in ${duration(lasted)}, so not seen`, 'watch for longer with --time, or have an event sent meanwhile.')
  if (events === 0 || identified === events)
    return ok('ids', events === 0 ? `no event in ${duration(lasted)}, but a place to resume from` : `all events have one; seen: ${events}`)
  const without =
    identified === 0 ? `none of the events has one; seen: ${events}` : `the first ${events - identified} of ${events} events have none`
  return warn(
    'ids',
    without,
    'give events an id and answer Last-Event-ID: what is sent while a client is cut off is lost to it otherwise, in silence.',
  )
}

function nameFindings({ names }: Watched): Finding[] {
  const collide = ['error', 'open'].filter((name) => names.has(name))
  if (collide.length === 0) return []
  return [
    warn(
      'names',
      `an event is named ${collide.join(', and one ')}`,
      'a browser’s EventSource has events of its own of that name, and handlers hear both: choose another.',
    ),
  ]
}

function retryFindings({ retry }: Watched): Finding[] {
  if (retry === undefined) return []
  if (retry < 250)
    return [warn('retry', `${retry} ms`, 'browsers come back that fast for ever while the server is down: ask for a second or more.')]
  if (retry > 60_000)
    return [warn('retry', duration(retry), 'a client that loses its network for a moment waits that long: ask for some seconds.')]
  return [ok('retry', duration(retry))]
}

function endFindings({ end, finished, lasted }: Watched): Finding[] {
  if (finished) return [ok('end', `the server has said after ${duration(lasted)} that the stream is over`)]
  if (end === undefined) return []
  if (end === 'cut')
    return [
      fail(
        'end',
        `the stream was cut after ${duration(lasted)}, in the midst of the response`,
        'see the log of the server, and the time limits of the proxies before it.',
      ),
    ]
  return [
    warn(
      'end',
      `the stream ended after ${duration(lasted)}`,
      'clients reconnect in a loop: leave it open; or, when it is complete, answer the next request with 204.',
    ),
  ]
}
