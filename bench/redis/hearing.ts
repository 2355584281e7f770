import { setTimeout as sleep } from 'node:timers/promises'
import { since } from './clock.ts'
import type { Duties } from './duties.ts'
import type { Trade } from './peer.ts'

const POLL_MS = 10

/** What a subscriber does: hear. */
export function hearing(): Pick<Duties, 'arrivals'> & { readonly heard: (trade: Trade) => void } {
  let latencies: number[] = []
  return {
    heard: ({ at }) => void latencies.push(since(at)),
    async arrivals({ events, ms }) {
      const deadline = performance.now() + ms
      while (latencies.length < events && performance.now() < deadline) await sleep(POLL_MS)
      const sorted = latencies.sort((a, b) => a - b)
      latencies = []
      return { events: sorted.length, p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) }
    },
  }
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN
}
