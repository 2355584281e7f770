import { proceed, type Awaitable } from '../awaitable.ts'
import type { Contract } from '../contract.ts'
import { refuseOversize } from './event.ts'
import type { Log } from './log.ts'

/** Validates an event, appends it to the log and gives its id. */
export type Publish = (event: string, data: unknown, topic: string | undefined) => Awaitable<string>

/** What publishing needs. */
export interface PublishRules {
  readonly contract: Contract
  readonly log: Pick<Log, 'append'>
  readonly eventBytes: number
  /** What an event replaces; see `slowConsumer`. */
  readonly keyOf: ((event: string, data: unknown, topic: string | undefined) => string | undefined) | undefined
  readonly onPublished: (event: string, id: string, topic: string | undefined) => void
}

/** Does something with the text of each event, in the order of the calls: at once, or behind those whose text is still awaited. What it leads to is not waited for. */
export type Turns = <T>(written: string | Promise<string>, act: (written: string) => Awaitable<T>) => Awaitable<T>

/** Makes an order of its own. */
export function createTurns(): Turns {
  /** Settles when the latest call in line has; `undefined` when none waits. */
  let line: Promise<void> | undefined
  return (written, act) => {
    if (typeof written === 'string' && !line) return act(written)
    const begun = Promise.all([written, line]).then(([text]) => ({ result: act(text) }))
    const turn = Promise.allSettled([begun, line]).then(() => {
      if (line === turn) line = undefined
    })
    line = turn
    return begun.then(({ result }) => result)
  }
}

/** Makes the way from `emit` to the log. */
export function createPublish({ contract, log, eventBytes, keyOf, onPublished }: PublishRules): Publish {
  const inTurn = createTurns()
  return (event, input, topic) =>
    inTurn(contract.serialize(event, input), (data) => {
      refuseOversize(event, data, eventBytes)
      const appended = log.append({ event, data, topic, key: keyOf?.(event, input, topic) })
      return proceed(appended, (id) => {
        onPublished(event, id, topic)
        return id
      })
    })
}
