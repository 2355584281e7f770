import type { Contract } from '../contract.ts'
import { EventwireError } from '../errors.ts'
import { exceedsBytes } from '../wire/size.ts'
import { formatCursor } from './cursor.ts'
import type { Log } from './log.ts'

/** Validates an event, appends it to the log and gives its id. */
export type Publish = (event: string, data: unknown, topic: string | undefined) => string | Promise<string>

/**
 * Makes the way from `emit` to the log. Events are appended in the order of the calls: at once when the schema is
 * synchronous, and behind the calls that still wait for an asynchronous one.
 */
export function createPublish(contract: Contract, log: Log, eventBytes: number): Publish {
  /** Settles when the latest call in the queue has; `undefined` when none waits. */
  let queue: Promise<void> | undefined

  const append = (event: string, data: string, topic: string | undefined): string => {
    refuseOversize(event, data, eventBytes)
    return formatCursor(log.epoch, log.append({ event, data, topic }))
  }

  return (event, input, topic) => {
    if (topic !== undefined && typeof topic !== 'string') {
      throw new EventwireError('invalid-option', `emit: topic is ${typeof topic}; give a string, or leave it out to reach everyone.`)
    }
    const written = contract.serialize(event, input)
    if (typeof written === 'string' && !queue) return append(event, written, topic)

    const id = Promise.all([written, queue]).then(([data]) => append(event, data, topic))
    const turn = Promise.allSettled([id, queue]).then(() => {
      if (queue === turn) queue = undefined
    })
    queue = turn
    return id
  }
}

/** Refuses an event that clients would have to refuse. */
export function refuseOversize(event: string, data: string, eventBytes: number): void {
  if (!exceedsBytes(event + data, eventBytes)) return
  throw new EventwireError(
    'too-large',
    `Event ${JSON.stringify(event)} takes more than ${eventBytes} bytes. Send less, or raise limits.eventBytes on the server and on its clients.`,
    { event },
  )
}
