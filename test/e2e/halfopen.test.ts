import { setTimeout } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createEmitter } from 'eventwire/server'
import { market } from '../support/market.ts'
import { startServer } from './support/child.ts'
import { missingMachines, twoMachines } from './support/machines.ts'
import { openStream } from './support/stream.ts'

const BEAT = 100
const STALL = 500
/** Beats that the stall timeout takes, one more, and one to where the counting began. */
const BEATS = STALL / BEAT + 2
/** As large an event as there may be, nearly. */
const LARGE = 'x'.repeat((1 << 20) - 100)

test('a peer that reads no more is gone within the stall timeout and a heartbeat from when nothing more fits in its socket', async () => {
  const server = await startServer({ path: 'node', heartbeat: BEAT, stallTimeout: STALL })
  const port = await server.call('listen')
  await openStream(`http://127.0.0.1:${port}/events`)
  // Counted on the server's own clock, which stands still when the machine is busy, as that of its heartbeats does.
  const beats = await server.call('flood', 100_000, BEAT, 2)
  console.log(`gone after ${beats} beats of ${BEAT} ms, with a stall timeout of ${STALL} ms`)
  expect(beats).toBeLessThanOrEqual(BEATS)
  // A busy machine leaves beats out.
  expect(beats).toBeGreaterThan(STALL / BEAT / 2)
  await server.stop()
})

test('a peer whose packets are lost is gone within the stall timeout and a heartbeat from when nothing more fits in its socket', async ({
  skip,
}) => {
  skip(missingMachines !== undefined, missingMachines)
  const machines = twoMachines()
  const server = await startServer({ path: 'node', heartbeat: BEAT, stallTimeout: STALL, host: machines.address }, machines.here)
  const url = `http://${machines.address}:${await server.call('listen')}/events`
  await machines.follow(url)
  await server.told(({ tells }) => tells === 'connected')
  machines.cut()
  const beats = await server.call('flood', 100_000, BEAT, 2)
  console.log(`gone after ${beats} beats of ${BEAT} ms, with a stall timeout of ${STALL} ms`)
  expect(beats).toBeLessThanOrEqual(BEATS)
  await server.stop()
})

test('a peer whose packets are lost on a quiet stream is gone when the kernel gives it up', async ({ skip }) => {
  skip(missingMachines !== undefined, missingMachines)
  const machines = twoMachines()
  // From 0.2 s on each wait is twice the one before: 6 s. Linux has 15 by default, which is a quarter of an hour.
  machines.retransmissions(3)
  const server = await startServer({ path: 'node', heartbeat: BEAT, stallTimeout: STALL, host: machines.address }, machines.here)
  const url = `http://${machines.address}:${await server.call('listen')}/events`
  await machines.follow(url)
  await server.told(({ tells }) => tells === 'connected')
  const cut = await server.call('now')
  machines.cut()
  const gone = await server.told(({ tells }) => tells === 'disconnected')
  console.log(`gone after ${((gone.at - cut) / 1e6).toFixed(1)} s, when 3 retransmissions were allowed`)
  await server.stop()
})

test('a client that reads slowly is not cut while it takes a large event: web', async () => {
  const emitter = createEmitter(market, { heartbeat: 20, stallTimeout: 200 })
  const reader = (await emitter.handle(new Request('http://localhost/events'))).body!.getReader()
  await reader.read()
  await emitter.emit('message', LARGE)
  let text = ''
  for (let reads = 0; !text.endsWith('\n\n:\n\n'); reads++) {
    if (reads > 0 && !text.endsWith('\n\n')) await setTimeout(50)
    text += new TextDecoder().decode((await reader.read()).value)
  }
  expect(text).toContain(`data: ${LARGE}\n\n`)
  await reader.cancel()
  await emitter.close()
})

test('a client that reads slowly is not cut while it takes large events: node', async ({ skip }) => {
  skip(missingMachines !== undefined, missingMachines)
  const machines = twoMachines()
  // Else the kernel takes megabytes at once, and says that there is room only when a third of them has left.
  machines.buffers(64 << 10)
  const server = await startServer({ path: 'node', heartbeat: 20, stallTimeout: 200, host: machines.address }, machines.here)
  const url = `http://${machines.address}:${await server.call('listen')}/events`
  const taken = await machines.sip(url, 64 << 10, 50, async () => {
    await server.call('emit', { from: 1, count: 3, bytes: 1 << 19, topics: 1, keys: 1, plain: 1 })
  })
  expect(taken).toBeGreaterThan(3 << 19)
  expect((await server.call('stats')).connections).toBe(1)
  await server.stop()
})
