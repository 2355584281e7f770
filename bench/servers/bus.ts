import { EventEmitter, on } from 'node:events'
import { takeOrders } from './control.ts'
import type { Sample } from './sample.ts'

/** The events as an iterable for each client, over an EventEmitter: what libraries show that bring no channel of their own. */
export function createBus(): { listen: (signal?: AbortSignal) => AsyncGenerator<Sample> } {
  const emitter = new EventEmitter().setMaxListeners(0)
  takeOrders((samples) => {
    for (const sample of samples) emitter.emit('sample', sample)
  })
  return {
    async *listen(signal) {
      for await (const [sample] of on(emitter, 'sample', signal && { signal })) yield sample as Sample
    },
  }
}
