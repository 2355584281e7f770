// Fills a log, and prints what heap and buffers have grown by. Wants --expose-gc.
import * as z from 'zod'
import { defineEvents } from '../../dist/index.js'
import { createEmitter } from '../../dist/server.js'
import { encode } from '../../dist/wire.js'
import { createSample, type Sample } from './sample.ts'

const EVENTS = 100_000

const contract = defineEvents({ message: z.custom<Sample>() })
const emitter = createEmitter(contract, { history: { events: EVENTS, bytes: 1 << 30 } })

function used(): number {
  // Twice: what the first has found unused is freed by the second.
  globalThis.gc?.()
  globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

async function fill(): Promise<number> {
  let encodedBytes = 0
  for (let i = 0; i < EVENTS; i++) {
    const data = createSample()
    const id = await emitter.emit('message', data)
    encodedBytes += encode({ id, data: JSON.stringify(data) }).length
  }
  return encodedBytes
}

const before = used()
const encodedBytes = await fill()
console.log(JSON.stringify({ events: EVENTS, encodedBytes, bytes: used() - before }))
