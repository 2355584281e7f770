/** Who is compared: the name in the tables, and how it is run. */
export interface Candidate {
  readonly name: string
  /** Its module in peers/. */
  readonly peer: string
  /** Where subscribers are: at a second node, at the one that publishes, or at Redis itself. Default: nowhere. */
  readonly heardAt?: 'another node' | 'the same node' | 'redis'
}

export const memory: Candidate = { name: 'eventwire memoryLog', peer: 'memory-log', heardAt: 'the same node' }
export const floor: Candidate = { name: 'XADD', peer: 'xadd', heardAt: 'redis' }

export const CANDIDATES: readonly Candidate[] = [
  memory,
  floor,
  { name: 'XADD and read back', peer: 'xadd-xread' },
  { name: 'eventwire redisLog', peer: 'redis-log', heardAt: 'another node' },
  { name: 'socket.io adapter', peer: 'socket-io', heardAt: 'another node' },
  { name: 'oRPC publisher', peer: 'orpc', heardAt: 'another node' },
]

/** Those named, and those that the others are compared with. */
export function candidates(only: readonly string[] | undefined): readonly Candidate[] {
  return CANDIDATES.filter((one) => one === memory || one === floor || !only || only.includes(one.name))
}
