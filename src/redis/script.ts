import type { LogRecord } from '../server/log.ts'
import type { Keys } from './keys.ts'
import { isReply, type Link } from './link.ts'

/** What a node knows of a log: the newest event that it has. */
export interface Known {
  readonly epoch: string
  readonly seq: number
  /** What it was written with, `''` when that is not known. */
  readonly mark: string
}

/** Where a log stands. */
export interface Standing {
  readonly epoch: string
  readonly head: number
  readonly oldest: number
}

/** Events to append in one go, which one writer has numbered. */
export interface Batch {
  readonly writer: string
  readonly number: number
  readonly records: readonly LogRecord[]
}

/** Where a batch is. */
export interface Appended {
  readonly epoch: string
  /** `seq` of its first event. */
  readonly first: number
}

/** What a call says besides the events. */
export interface Terms {
  /** The epoch to begin where one is due. */
  readonly nextEpoch: string
  readonly known: Known
  /** How many events are kept. */
  readonly events: number
  /** How long the log outlives its last event, in ms. */
  readonly age: number
  /** How long a batch may be sent again, in ms. */
  readonly deadline: number
}

/**
 * All that changes a log, in one step. It begins a new epoch where there is none, and where somebody knows more than there is, a later event or a
 * later epoch: Redis has lost a tail, and the numbers of it would be given again. Nothing is written unless all keys are what they should be.
 */
const SCRIPT = `
local stream, log, writer = KEYS[1], KEYS[2], KEYS[3]
local nextEpoch, knownEpoch, knownSeq, knownMark = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local number, events, age, remembered, origin = ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local epoch, seq, mark = unpack(redis.call('HMGET', log, 'epoch', 'seq', 'mark'))
seq = tonumber(seq or 0)
local function begun(e) return tonumber(string.sub(e, 1, 8), 36) or 0 end
local function markAt(place)
  local entry = redis.call('XRANGE', stream, place .. '-0', place .. '-0')[1]
  for i = 1, entry and #entry[2] or 0, 2 do
    if entry[2][i] == 'w' then return entry[2][i + 1] end
  end
end
local forked = false
if epoch and epoch ~= knownEpoch then
  forked = begun(epoch) < begun(knownEpoch)
elseif epoch and knownSeq > 0 then
  local there = mark
  if number == '' and seq > knownSeq then there = markAt(knownSeq) end
  forked = seq < knownSeq or (knownMark ~= '' and there and there ~= knownMark and (number == '' or seq == knownSeq))
end
if number ~= '' then
  local done = redis.call('GET', writer)
  if done then
    local n, e, first = string.match(done, '^(%d+) (%w+) (%d+)$')
    if n == number then return { e, tonumber(first), 0 } end
    if tonumber(n) > tonumber(number) then return redis.error_reply('STALE a later batch was there before') end
  end
end
if not epoch or forked then
  local kind = redis.call('TYPE', stream).ok
  if kind ~= 'stream' and kind ~= 'none' then return redis.error_reply('WRONGTYPE ' .. stream .. ' is a ' .. kind) end
  redis.call('DEL', stream)
  epoch, seq, mark = nextEpoch, 0, ''
  redis.call('HSET', log, 'epoch', epoch, 'seq', 0, 'mark', '')
end
if number == '' then
  local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
  return { epoch, seq, oldest and tonumber(string.match(oldest[1], '^%d+')) or seq + 1 }
end
local first = seq + 1
local marks, before = epoch .. origin, mark or ''
for i = 10, #ARGV, 4 do
  seq = seq + 1
  mark = marks .. (i - 10) / 4
  local id, e, d, t, k = seq .. '-0', ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if i == 10 then
    local fields = { 'w', mark, 'p', before, 'e', e, 'd', d }
    if t ~= '' then fields[#fields + 1] = 't' fields[#fields + 1] = string.sub(t, 2) end
    if k ~= '' then fields[#fields + 1] = 'k' fields[#fields + 1] = string.sub(k, 2) end
    redis.call('XADD', stream, 'MAXLEN', '~', events, id, unpack(fields))
  elseif k ~= '' and t ~= '' then
    redis.call('XADD', stream, 'MAXLEN', '~', events, id, 'w', mark, 'e', e, 'd', d, 't', string.sub(t, 2), 'k', string.sub(k, 2))
  elseif k ~= '' then
    redis.call('XADD', stream, 'MAXLEN', '~', events, id, 'w', mark, 'e', e, 'd', d, 'k', string.sub(k, 2))
  elseif t ~= '' then
    redis.call('XADD', stream, 'MAXLEN', '~', events, id, 'w', mark, 'e', e, 'd', d, 't', string.sub(t, 2))
  else
    redis.call('XADD', stream, 'MAXLEN', '~', events, id, 'w', mark, 'e', e, 'd', d)
  end
end
redis.call('HSET', log, 'seq', seq, 'mark', mark)
redis.call('SET', writer, number .. ' ' .. epoch .. ' ' .. first, 'PX', remembered)
if age ~= '' then
  redis.call('PEXPIRE', stream, age)
  redis.call('PEXPIRE', log, age)
end
return { epoch, first, 0 }
`

/** How long a writer's last batch is remembered at least, in ms: far longer than anyone waits for a reply. */
const REMEMBERED = 600_000

/** Appends events, once however often it is asked to, and gives the epoch and the `seq` of the first. */
export async function append(link: Link, keys: Keys, batch: Batch, terms: Terms, timeout: number): Promise<Appended> {
  const { writer, number, records } = batch
  const fields = records.flatMap(({ event, data, topic, key }) => [event, data, optional(topic), optional(key)])
  const [epoch, first] = await call(
    link,
    keys,
    writer,
    [String(number), ...bounds(terms), `.${writer}.${number}.`, ...fields],
    terms,
    timeout,
  )
  return { epoch, first }
}

/** Asks where the log stands, and begins it where there is none. */
export async function stand(link: Link, keys: Keys, terms: Terms, timeout: number): Promise<Standing> {
  const [epoch, head, oldest] = await call(link, keys, '', ['', ...bounds(terms), ''], terms, timeout)
  return { epoch, head, oldest }
}

/** What is known once a batch has been appended. */
export function knownFrom({ writer, number, records }: Batch, { epoch, first }: Appended): Known {
  const last = records.length - 1
  return { epoch, seq: first + last, mark: `${epoch}.${writer}.${number}.${last}` }
}

/** The one that knows more. */
export function newerOf(one: Known, other: Known): Known {
  const difference = one.epoch === other.epoch ? one.seq - other.seq : begunAt(one.epoch) - begunAt(other.epoch)
  return difference < 0 ? other : one
}

/**
 * An epoch for after one that is known: it tells when it began, so that who knows a newer one sees that Redis has gone back to an older. In
 * base 36 the milliseconds take 8 characters from 1972 to 2059. `suffix` is another for each node.
 */
export function epochAfter(known: string, suffix: string): string {
  return Math.max(Date.now(), begunAt(known) + 1).toString(36) + suffix
}

function begunAt(epoch: string): number {
  return parseInt(epoch.slice(0, 8), 36) || 0
}

/** The epoch that an event was written in, by its mark. */
export function epochOf(mark: string): string {
  return mark.slice(0, mark.indexOf('.'))
}

function bounds({ events, age, deadline }: Terms): string[] {
  return [String(events), age === Infinity ? '' : String(Math.ceil(age)), String(Math.max(REMEMBERED, 2 * deadline))]
}

function optional(value: string | undefined): string {
  return value === undefined ? '' : `=${value}`
}

async function call(
  link: Link,
  keys: Keys,
  writer: string,
  args: string[],
  terms: Terms,
  timeout: number,
): Promise<[string, number, number]> {
  const { nextEpoch, known } = terms
  const rest = ['3', keys.events, keys.log, keys.writer(writer), nextEpoch, known.epoch, String(known.seq), known.mark, ...args]
  let reply: unknown
  try {
    reply = await link.send(keys.events, ['EVALSHA', await hash(), ...rest], timeout)
  } catch (error) {
    if (!isReply(error) || !error.message.includes('NOSCRIPT')) throw error
    reply = await link.send(keys.events, ['EVAL', SCRIPT, ...rest], timeout)
  }
  const [epoch, number, oldest] = reply as unknown[]
  return [String(epoch), Number(number), Number(oldest)]
}

let hashed: Promise<string> | undefined

/** The name that Redis knows the script by. */
function hash(): Promise<string> {
  hashed ??= crypto.subtle
    .digest('SHA-1', new TextEncoder().encode(SCRIPT))
    .then((digest) => Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join(''))
  return hashed
}
