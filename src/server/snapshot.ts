import type { Contract } from '../contract.ts'
import type { Connection } from './connection-handle.ts'
import type { OpenStream } from './connection-request.ts'
import { encodeEvent, type OutgoingEvent } from './event.ts'
import { pump, whenRoom, type Source } from './pump.ts'
import { hookFailed, type Report } from './report.ts'

/** The hook that gives the state of things. */
export type SnapshotHook<C extends Contract, Context> = (
  connection: Connection<C, Context>,
) => Source<OutgoingEvent<C>> | Promise<Source<OutgoingEvent<C>>>

/**
 * Sends the state of things to one client, and holds its stream meanwhile. When that fails it is reported, and the stream ends: the client
 * tries again.
 */
export function createSnapshot<C extends Contract, Context>(
  contract: C,
  hook: SnapshotHook<C, Context>,
  eventBytes: number,
  report: Report,
): (connection: Connection<C, Context>, stream: OpenStream<Context>) => Promise<void> {
  const encodeItem = async ({ event, data }: OutgoingEvent<C>): Promise<string> =>
    encodeEvent(event, await contract.serialize(event, data), eventBytes)

  const send = async (connection: Connection<C, Context>, stream: OpenStream<Context>): Promise<boolean> => {
    try {
      return await pump(await hook(connection), stream.transport, stream.signal, encodeItem)
    } catch (error) {
      if (!stream.signal.aborted) report(hookFailed('snapshot', error))
      return false
    }
  }

  return async (connection, stream) => {
    stream.hold()
    if (await send(connection, stream)) await whenRoom(stream.transport, stream.signal, () => stream.resume())
    else stream.close()
  }
}
