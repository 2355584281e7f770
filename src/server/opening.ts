import type { AdmissionRules, Open } from './admission.ts'
import { compositeBytes, cursorsFor, shardsWithin } from './composite.ts'
import type { ConnectionRules } from './connection-request.ts'
import { StreamConnection } from './connection.ts'
import { isUnknown } from './cursor.ts'
import type { Fanout } from './fanout.ts'
import type { Zlib } from './gzip.ts'
import { SharedBlocks } from './lane.ts'
import { ShardedConnection, type ShardPlace } from './sharded-connection.ts'
import { shardsOf, type ShardedLog } from './sharding.ts'
import type { Topics } from './topics.ts'
import { Transport } from './transport.ts'

/** What depends on the shards that the topics of a request lie in. */
export interface Opening<Context> extends Pick<AdmissionRules<Context>, 'caughtUp' | 'compresses' | 'refusalOf'> {
  readonly open: Open<Context>
}

/** Makes the streams of an emitter: one connection where all topics lie in one shard, or one of several. */
export function createOpening<Context>(
  log: ShardedLog,
  fanouts: readonly Fanout[],
  rules: ConnectionRules<Context>,
  zlib: Zlib | undefined,
): Opening<Context> {
  const { shards } = log
  const { cursorBytes, start } = rules
  const parts = fanouts.map((fanout) => ({ fanout, blocks: new SharedBlocks() }))

  const placesOf = (cursor: string | undefined, topics: Topics): readonly ShardPlace[] => {
    const found = shardsOf(log, topics)
    const cursors = cursorsFor(
      cursor,
      shards,
      found.map(({ shard }) => shard),
      cursorBytes,
    )
    return found.map(({ shard, topics: inShard }, i) => ({ shard, topics: inShard, cursor: cursors[i] }))
  }

  return {
    caughtUp(cursor, topics) {
      const waiting = placesOf(cursor, topics).flatMap((place) => {
        const shard = shards[place.shard]!
        // Where the oldest event is, a node knows no better than where a cursor that is new to it is.
        const isNew = isUnknown(place.cursor, shard, cursorBytes) || (start === 'oldest' && !cursor)
        return shard.sync && isNew ? shard.sync() : []
      })
      return waiting.length === 0 ? undefined : Promise.all(waiting)
    },

    // A coding is of a whole stream, and what a group compresses is only one shard's part.
    compresses: zlib && ((topics) => shardsOf(log, topics).length === 1),

    refusalOf(topics) {
      const wanted = shardsOf(log, topics).map(({ shard }) => shard)
      if (wanted.length === 1 || compositeBytes(shards, wanted) <= cursorBytes) return undefined
      return (
        `These topics lie in ${wanted.length} shards, and a cursor of ${cursorBytes} bytes holds ${shardsWithin(shards, cursorBytes)}. ` +
        'Listen to fewer topics, or have fewer shards, or a larger limits.cursorBytes; clients refuse ids of more than 1 KiB by default.'
      )
    },

    open:
      ({ topics, context, lastEventId, gzip }) =>
      (sink, release) => {
        const places = placesOf(lastEventId, topics)
        if (places.length === 1) {
          const request = { topics, context, lastEventId: places[0]!.cursor, zlib: gzip ? zlib : undefined, release }
          return new StreamConnection(shards[0]!, fanouts[0]!, (coding) => new Transport(sink, coding), rules, request)
        }
        return new ShardedConnection(places, parts, sink, rules, { topics, context, lastEventId, zlib: undefined, release })
      },
  }
}
