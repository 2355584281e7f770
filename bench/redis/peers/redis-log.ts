import { redisLog } from '../../../dist/redis.js'
import type { Node } from '../peer.ts'
import { nodeOn } from './eventwire.ts'

export { subscribe } from './eventwire.ts'

export function join(redis: string): Node {
  return nodeOn(redisLog({ url: redis }))
}
