import type { EventwireError } from '../errors.ts'
import type { Ready } from '../wire/control.ts'
import type { Sink } from './connection.ts'
import { interrupted, overflown, serverError } from './errors.ts'
import type { Payloads } from './payload.ts'
import type { Position } from './position.ts'
import type { Queue } from './queue.ts'

/** What a subscriber's sink is made of. */
export interface SinkParts {
  readonly payloads: Payloads
  readonly queue: Queue
  readonly position: Position
  /** Above this, what overflows is a fault; undefined when it is not. */
  readonly limit: number | undefined
  readonly onReady: (ready: Ready) => void
  readonly onError: (error: EventwireError) => void
}

/** Takes what a stream brings into the queue, and moves the position with it. */
export function createSink({ payloads, queue, position, limit, onReady, onError }: SinkParts): Sink {
  return {
    // What overflows is a fault, and is not waited for.
    room: limit === undefined ? queue.room : () => undefined,
    onError,
    onReady(ready) {
      payloads.learn(ready)
      onReady(ready)
    },
    onMessage(message) {
      const { event, id } = message
      const end = payloads.ends() ? payloads.end(message) : undefined
      // A mark stands for no event.
      const wanted = typeof end !== 'object' && payloads.has(event)
      if (wanted && limit !== undefined && queue.full()) return { kind: 'fatal', error: overflown(limit) }
      position.receive(id)
      queue.push(id, wanted ? message : undefined)
      if (event === 'error') onError(serverError(message))
      return end === undefined ? undefined : { kind: 'ended' }
    },
    onCursor(id) {
      position.receive(id)
      queue.push(id)
    },
    onGap: (gap) => queue.push(position.received, undefined, gap),
    onEnd: (url) => (payloads.ends() ? { kind: 'fatal', error: interrupted(url) } : { kind: 'ended' }),
  }
}
