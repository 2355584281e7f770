import type { Contract } from '../contract.ts'
import type { Connection } from './connection-handle.ts'
import type { StreamConnection } from './connection.ts'
import { encodeEvent, type OutgoingEvent } from './event.ts'
import { pump, type Source } from './pump.ts'
import { hookFailed, type Report } from './report.ts'

/** The hook that gives the state of things. */
export type SnapshotHook<C extends Contract, Context> = (
  connection: Connection<C, Context>,
) => Source<OutgoingEvent<C>> | Promise<Source<OutgoingEvent<C>>>

/** Sends the state of things to one client; resolves to false when it failed, which is reported, or the client left. */
export function createSnapshot<C extends Contract, Context>(
  contract: C,
  hook: SnapshotHook<C, Context>,
  eventBytes: number,
  report: Report,
): (connection: Connection<C, Context>, stream: StreamConnection<Context>) => Promise<boolean> {
  const encodeItem = async ({ event, data }: OutgoingEvent<C>): Promise<string> =>
    encodeEvent(event, await contract.serialize(event, data), eventBytes)

  return async (connection, stream) => {
    try {
      return await pump(await hook(connection), stream.transport, stream.signal, encodeItem)
    } catch (error) {
      if (!stream.signal.aborted) report(hookFailed('snapshot', error))
      return false
    }
  }
}
