import type { RedisServer } from '../../support/redis-server.ts'
import type { Entry, Truth } from './ledger.ts'

/** The whole log under a key, as Redis has it. */
export async function readLog(redis: Pick<RedisServer, 'command'>, key: string): Promise<Truth> {
  const epoch = await redis.command('HGET', `eventwire:{${key}}:log`, 'epoch')
  const entries = (await redis.command('XRANGE', `eventwire:{${key}}:events`, '-', '+')) as [id: string, fields: string[]][]
  return { epoch: String(epoch), entries: entries.map(([id, fields]) => entryOf(id, fields)) }
}

function entryOf(id: string, fields: readonly string[]): Entry {
  const at = (name: string): string | undefined => {
    const place = fields.findIndex((field, i) => i % 2 === 0 && field === name)
    return place < 0 ? undefined : fields[place + 1]
  }
  return { seq: Number(id.split('-')[0]), topic: at('t'), text: at('d') ?? '' }
}
