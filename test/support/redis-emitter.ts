import type { EventwireError } from 'eventwire'
import { redisLog, type RedisLog, type RedisLogOptions } from 'eventwire/redis'
import { serveEmitter, type ServedEmitter } from './emitter.ts'

/** One of the nodes that share a log. */
export interface ServedNode extends ServedEmitter {
  readonly log: RedisLog
  /** What went to `onError`. */
  readonly faults: readonly EventwireError[]
  /** Waits until it has reached Redis. */
  reached(): Promise<void>
}

/** A node whose emitter has its log in Redis, behind a real HTTP server; see `serveEmitter`. */
export async function serveNode(url: string, options: RedisLogOptions = {}): Promise<ServedNode> {
  const faults: EventwireError[] = []
  const log = redisLog({ url, ...options })
  const served = await serveEmitter({ log, heartbeat: 20, onError: (error) => faults.push(error) })
  const reached = async (): Promise<void> => {
    while (log.epoch === '') await log.sync().catch(() => {})
  }
  return { ...served, log, faults, reached }
}
