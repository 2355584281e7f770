import { setTimeout as sleep } from 'node:timers/promises'
import type { Duties } from './duties.ts'
import { tradeNow, type Node } from './peer.ts'

/** What a node does: publish. */
export function publishing(node: Node): Pick<Duties, 'flat' | 'fixed'> {
  return {
    async flat({ publishers, ms }) {
      const cpu = process.cpuUsage()
      const start = performance.now()
      let events = 0
      const publisher = async (): Promise<void> => {
        while (performance.now() - start < ms) await node.publish(tradeNow(events++))
      }
      await Promise.all(Array.from({ length: publishers }, publisher))
      const { user, system } = process.cpuUsage(cpu)
      return { events, seconds: (performance.now() - start) / 1_000, cpuUs: user + system }
    },

    async fixed({ rate, ms }) {
      const events = Math.round((rate * ms) / 1_000)
      const start = performance.now()
      const underWay: Promise<unknown>[] = []
      while (underWay.length < events) {
        const early = start + (underWay.length * 1_000) / rate - performance.now()
        if (early > 0) await sleep(early)
        else underWay.push(node.publish(tradeNow(underWay.length)))
      }
      await Promise.all(underWay)
      return events
    },
  }
}
