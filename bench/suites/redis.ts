import { appends } from '../redis/appends.ts'
import { latencies } from '../redis/latency.ts'
import type { Suite } from '../report.ts'

export const suite: Suite = {
  name: 'redis',
  about: 'A log in Redis, against the log in memory, the least that can be done with Redis, and peers that keep events there.',
  run: async (options) => [...(await appends(options)), ...(await latencies(options))],
}
