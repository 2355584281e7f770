// eventwire with everything on: a schema of seven fields, ids, a log, heartbeats, backpressure, a policy for slow readers, topics.
import * as z from 'zod'
import { defineEvents } from '../../dist/index.js'
import { createEmitter } from '../../dist/server.js'
import { createSample, type Sample } from './sample.ts'
import { options } from './options.ts'

const sample = z.object({
  id: z.number(),
  type: z.string(),
  sym: z.string(),
  px: z.number(),
  qty: z.number(),
  t: z.string(),
  note: z.string(),
})

export const emitter = createEmitter(defineEvents({ message: sample }), {
  history: { events: Math.max(10_000, options.logged), bytes: options.logBytes, age: '10m' },
  heartbeat: 15_000,
  slowConsumer: 'gap',
  detach: process.env['EVENTWIRE_DETACH'] === '1',
  ...(options.compression ? { compression: 'shared' } : {}),
})

/** What every connection listens to; beside it, they hear what has no topic. */
export const TOPIC = 'ticks'

/** Publishes to the topic that all listen to, or to one topic after another. */
export function publish(samples: readonly Sample[]): void {
  for (const one of samples) void emitter.emit('message', one, { topic: topic() })
}

let turn = 0
function topic(): string {
  return options.topics === 0 ? TOPIC : `t${turn++ % options.topics}`
}

/** Fills the log, and gives the cursor of a client that has missed what it is said to have missed. */
export async function fillLog(): Promise<string | undefined> {
  let cursor: string | undefined
  if (options.logged === 0) return cursor
  for (let i = 0; i <= options.logged; i++) {
    const id = await emitter.emit('message', createSample(), { topic: TOPIC })
    if (i === options.logged - options.missed) cursor = id
  }
  return cursor
}
