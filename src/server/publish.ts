import type { Contract } from '../contract.ts'
import { EventwireError } from '../errors.ts'
import { exceedsBytes } from '../wire/size.ts'
import { formatCursor } from './cursor.ts'
import type { Log } from './log.ts'

/** Validates an event, appends it to the log and gives its id. */
export type Publish = (event: string, data: unknown, topic: string | undefined) => string | Promise<string>

/** Does something with the text of each event, in the order of the calls: at once, or behind those whose text is still awaited. */
export type Turns = <T>(written: string | Promise<string>, act: (written: string) => T) => T | Promise<T>

/** Makes an order of its own. */
export function createTurns(): Turns {
  /** Settles when the latest call in line has; `undefined` when none waits. */
  let line: Promise<void> | undefined
  return (written, act) => {
    if (typeof written === 'string' && !line) return act(written)
    const done = Promise.all([written, line]).then(([text]) => act(text))
    const turn = Promise.allSettled([done, line]).then(() => {
      if (line === turn) line = undefined
    })
    line = turn
    return done
  }
}

/** Makes the way from `emit` to the log. */
export function createPublish(contract: Contract, log: Log, eventBytes: number): Publish {
  const inTurn = createTurns()
  return (event, input, topic) =>
    inTurn(contract.serialize(event, input), (data) => {
      refuseOversize(event, data, eventBytes)
      return formatCursor(log.epoch, log.append({ event, data, topic }))
    })
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
