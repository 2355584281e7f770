import { newEpoch } from '../server/cursor.ts'
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
}

/**
 * All that changes a log, in one step. It begins a new epoch where there is none, and where somebody knows more than there is, a later event or a
 * later epoch: Redis has lost a tail, and the numbers of it would be given again. Nothing is written unless all keys are what they should be.
 */
const SCRIPT = `
local stream, log, writer = KEYS[1], KEYS[2], KEYS[3]
local kind = redis.call('TYPE', stream).ok
if kind ~= 'stream' and kind ~= 'none' then return redis.error_reply('WRONGTYPE ' .. stream .. ' is a ' .. kind) end
local epoch, seq = unpack(redis.call('HMGET', log, 'epoch', 'seq'))
seq = tonumber(seq or 0)
local newEpoch, knownEpoch, knownSeq, knownMark = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local function begun(e) return tonumber(string.sub(e, 1, 8), 36) or 0 end
local forked = epoch and begun(epoch) < begun(knownEpoch)
if epoch and epoch == knownEpoch and knownSeq > 0 then
  forked = seq < knownSeq
  if not forked and knownMark ~= '' then
    local entry = redis.call('XRANGE', stream, knownSeq .. '-0', knownSeq .. '-0')[1]
    if entry then
      for i = 1, #entry[2], 2 do
        if entry[2][i] == 'w' then forked = entry[2][i + 1] ~= knownMark end
      end
    end
  end
end
local number = ARGV[5]
if number ~= '' then
  local done = redis.call('GET', writer)
  if done then
    local n, e, first = string.match(done, '^(%d+) (%w+) (%d+)$')
    if n == number then return { e, tonumber(first), 0 } end
    if tonumber(n) > tonumber(number) then return redis.error_reply('STALE a later batch was there before') end
  end
end
if not epoch or forked then
  redis.call('DEL', stream)
  epoch, seq = newEpoch, 0
  redis.call('HSET', log, 'epoch', epoch, 'seq', 0)
end
local events, age = ARGV[6], ARGV[7]
local first = seq + 1
for i = 10, #ARGV, 4 do
  seq = seq + 1
  local fields = { 'w', epoch .. ARGV[9] .. (i - 10) / 4, 'e', ARGV[i], 'd', ARGV[i + 1] }
  if ARGV[i + 2] ~= '' then fields[#fields + 1] = 't' fields[#fields + 1] = string.sub(ARGV[i + 2], 2) end
  if ARGV[i + 3] ~= '' then fields[#fields + 1] = 'k' fields[#fields + 1] = string.sub(ARGV[i + 3], 2) end
  redis.call('XADD', stream, 'MAXLEN', '~', events, seq .. '-0', unpack(fields))
end
if number ~= '' then
  redis.call('HSET', log, 'seq', seq)
  redis.call('SET', writer, number .. ' ' .. epoch .. ' ' .. first, 'PX', ARGV[8])
  if age ~= '' then
    redis.call('PEXPIRE', stream, age)
    redis.call('PEXPIRE', log, age)
  end
end
local oldest = redis.call('XRANGE', stream, '-', '+', 'COUNT', 1)[1]
return { epoch, number == '' and seq or first, oldest and tonumber(string.match(oldest[1], '^%d+')) or seq + 1 }
`

/** How long a writer's last batch is remembered, in ms: far longer than anyone waits for a reply. */
const REMEMBERED = '600000'

/** Appends events, once however often it is asked to, and gives the epoch and the `seq` of the first. */
export async function append(
  link: Link,
  keys: Keys,
  batch: Batch,
  terms: Terms,
  timeout: number,
): Promise<{ epoch: string; first: number }> {
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
 * base 36 the milliseconds take 8 characters from 1972 to 2059.
 */
export function epochAfter(known: string): string {
  return Math.max(Date.now(), begunAt(known) + 1).toString(36) + newEpoch().slice(0, 6)
}

function begunAt(epoch: string): number {
  return parseInt(epoch.slice(0, 8), 36) || 0
}

/** The epoch that an event was written in, by its mark. */
export function epochOf(mark: string): string {
  return mark.slice(0, mark.indexOf('.'))
}

function bounds({ events, age }: Terms): string[] {
  return [String(events), age === Infinity ? '' : String(Math.ceil(age)), REMEMBERED]
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
