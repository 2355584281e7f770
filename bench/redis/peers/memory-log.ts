// One node that nobody shares a log with: what the others are compared with.
import { memoryLog } from '../../../dist/server.js'
import type { Node } from '../peer.ts'
import { nodeOn } from './eventwire.ts'

export { subscribe } from './eventwire.ts'

export function join(): Node {
  return nodeOn(memoryLog())
}
