import type { Sink } from '../client/connection.ts'
import { interrupted } from '../client/errors.ts'
import { settle, type SubscriberOptions } from '../client/options.ts'
import { createPayloads, type Payloads } from '../client/payload.ts'
import { createPosition, type Position } from '../client/position.ts'
import { keepConnected } from '../client/reconnect.ts'
import type { Closed } from '../client/status.ts'
import type { EventwireError } from '../errors.ts'
import type { TailArgs } from './args.ts'
import { forPeople, forPrograms, type FormatEvent } from './event-line.ts'
import type { ExitCode } from './exit-code.ts'
import { describe, endNotice, GAPS, notify, statusNotice } from './notices.ts'
import { createScreen, painter, type Screen } from './terminal.ts'

/** Largest event and id, in bytes. Well beyond those of an application's client: this is for looking at whatever is there. */
const LIMITS = { eventBytes: 64 << 20, idBytes: 64 << 10 }

/** After how long without a response, in ms, that is said. */
const SLOW = 3_000

/** Shows the events of a stream until it is over. */
export async function tail(args: TailArgs): Promise<ExitCode> {
  const stop = new AbortController()
  const quit = (): void => stop.abort()
  process.once('SIGINT', quit).once('SIGTERM', quit)
  const screen = createScreen(quit)
  const options: SubscriberOptions = {
    headers: args.headers,
    lastEventId: args.lastEventId,
    body: args.data,
    limits: LIMITS,
    ...(args.once && { shouldRetry: () => false }),
  }
  const position = createPosition(options, notifyOf, undefined)
  const text = new Set<string>()
  let opened = false
  let waiting: ReturnType<typeof setTimeout> | undefined
  const payloads = createPayloads(undefined)
  const format = args.json ? forPrograms((event) => text.has(event)) : forPeople(painter(process.stdout), args.pretty)
  const closed = await keepConnected({
    url: args.url,
    options,
    settings: settle(options),
    signal: stop.signal,
    position,
    sink: createTailSink({ names: args.names, screen, format, payloads, position, text }),
    onStatus(status) {
      notify(statusNotice(status))
      if (status.state !== 'open') return
      if (opened && position.received === '') notify('no event had an id: what was sent in between is missed.')
      opened = true
    },
    trace(event) {
      clearTimeout(waiting)
      // Only GET is what `check` asks by.
      if (event.type === 'request')
        waiting = setTimeout(notify, SLOW, `no response yet${args.data === undefined ? '; eventwire check says why' : ''}.`)
      notify(endNotice(event))
    },
  })
  process.off('SIGINT', quit).off('SIGTERM', quit)
  return conclude(closed, payloads.ends() ? false : args.once || args.data !== undefined)
}

/** What a sink of `tail` is made of. */
interface TailSinkParts {
  readonly names: readonly string[]
  readonly screen: Screen
  readonly format: FormatEvent
  readonly payloads: Payloads
  readonly position: Position
  /** Where it puts the names of events that are text. */
  readonly text: Set<string>
}

/** Shows what a stream brings, at the pace of whoever reads it. */
function createTailSink({ names, screen, format, payloads, position, text }: TailSinkParts): Sink {
  return {
    room: screen.room,
    onError: notifyOf,
    onReady(ready) {
      payloads.learn(ready)
      for (const name of ready.text) text.add(name)
      if (ready.resumed) notify(`resumed where it was; events that were missed: ${ready.replayed}`)
    },
    onMessage(message) {
      position.receive(message.id)
      if (names.length === 0 || names.includes(message.event)) screen.write(format(message, new Date()))
      return payloads.end(message) === undefined ? undefined : { kind: 'ended' }
    },
    onCursor: (cursor) => position.receive(cursor),
    onGap: ({ reason, requested }) =>
      notify(`gap: events behind ${requested || 'the last one'} may be lost; ${GAPS.get(reason) ?? reason}.`),
    onEnd: (url) => (payloads.ends() ? { kind: 'fatal', error: interrupted(url) } : { kind: 'ended' }),
  }
}

/** Says how it ended. `mayEnd`: an end without a word is all that this stream can have. */
function conclude({ error }: Closed, mayEnd: boolean): ExitCode {
  if (!error) return 0
  if (mayEnd && error.code === 'interrupted') {
    notify('the stream has ended.')
    return 0
  }
  notifyOf(error)
  return 1
}

function notifyOf(error: EventwireError): void {
  notify(describe(error))
}
