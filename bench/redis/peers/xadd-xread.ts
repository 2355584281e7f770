// The floor of a node that hears all that it publishes, as nodes do whose subscribers hear all.
import type { Node } from '../peer.ts'
import * as xadd from './xadd.ts'

export async function join(redis: string): Promise<Node> {
  await xadd.subscribe(redis, () => {})
  return await xadd.join(redis)
}
