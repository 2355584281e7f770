import { parseCursor } from './cursor.ts'
import type { Log } from './log.ts'

/** What an epoch takes, unless a log has longer ones. */
const EPOCH_CHARS = 14

/** Most digits of a `seq`. */
const SEQ_DIGITS = 16

/** One shard's part of a cursor. */
const PART = /^(0|[1-9]\d?)\.([0-9a-z]+-(?:0|[1-9]\d{0,15}))$/

/** The cursor of a connection whose topics lie in several shards: a place in each, `<shard>.<epoch>-<seq>`, ascending and joined by `_`. */
export function formatComposite(places: Iterable<readonly [shard: number, cursor: string]>): string {
  return Array.from(places, ([shard, cursor]) => `${shard}.${cursor}`).join('_')
}

/** The places by shard; `undefined` when it is no such cursor. */
export function parseComposite(composite: string): ReadonlyMap<number, string> | undefined {
  const places = new Map<number, string>()
  let previous = -1
  for (const part of composite.split('_')) {
    const [, digits, cursor] = PART.exec(part) ?? []
    const shard = Number(digits)
    if (cursor === undefined || !(shard > previous)) return undefined
    places.set(shard, cursor)
    previous = shard
  }
  return places
}

/**
 * What each of some shards is to make of the cursor that a client brings: a place in it; `undefined`, for the client begins there; or what it does not
 * know, and then declares a gap.
 *
 * A cursor of several shards that leaves one out is of a client that has not listened there before, as long as shard 0, which everyone listens to, is
 * the same. A cursor of one shard may be the id of an event, which says nothing of the others.
 */
export function cursorsFor(
  cursor: string | undefined,
  shards: readonly Log[],
  wanted: readonly number[],
  maxBytes: number,
): readonly (string | undefined)[] {
  if (!cursor || shards.length === 1 || cursor.length > maxBytes) return wanted.map(() => cursor)
  const place = parseCursor(cursor, maxBytes)
  if (place) {
    const own = shards.findIndex(({ epoch }) => epoch === place.epoch)
    return wanted.map((shard) => (own === -1 || shard === own ? cursor : formatComposite([[own, cursor]])))
  }
  const places = parseComposite(cursor)
  if (!places) return wanted.map(() => cursor)
  const everyone = places.get(0)
  const isSame = everyone !== undefined && parseCursor(everyone, maxBytes)?.epoch === shards[0]!.epoch
  return wanted.map((shard) => places.get(shard) ?? (isSame ? undefined : (everyone ?? cursor)))
}

/** The most bytes that a cursor of some shards may ever take. */
export function compositeBytes(shards: readonly Log[], wanted: readonly number[]): number {
  return wanted.reduce((bytes, shard) => bytes + partBytes(shards, shard) + 1, -1)
}

/** How many shards a cursor of so many bytes has room for, whichever they are. */
export function shardsWithin(shards: readonly Log[], bytes: number): number {
  const largest = Math.max(...shards.map((_, shard) => partBytes(shards, shard)))
  return Math.floor((bytes + 1) / (largest + 1))
}

function partBytes(shards: readonly Log[], shard: number): number {
  return `${shard}.-`.length + Math.max(shards[shard]!.epoch.length, EPOCH_CHARS) + SEQ_DIGITS
}
