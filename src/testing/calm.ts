import { EventwireError } from '../errors.ts'
import type { Timers } from './timers.ts'

// The real ones, whatever a test puts in their place later.
const { setTimeout } = globalThis
const nextTurn: (run: () => void) => unknown = globalThis.setImmediate ?? setTimeout
const now = performance.now.bind(performance)

/** For how many turns of the event loop nothing may move before all is calm. */
const QUIET = 3

/** How long that may take, in ms of real time: less than runners give a test. */
export const PATIENCE = 3_000

/** How many things have moved. */
let moves = 0

/** The timers of the clock that is installed. */
let timers: Timers | undefined

/** Something has moved: a request, bytes, or what was under way and is finished. */
export function stir(): void {
  moves++
}

/** Whether time is stopped. */
export function hasTimers(): boolean {
  return timers !== undefined
}

/** From now on these timers go off as soon as they are due; with `undefined`, none do. */
export function followTimers(next: Timers | undefined): void {
  timers = next
}

/** The real time, as `performance.now()` has it. */
export function realTime(): number {
  return now()
}

/** Waits in real time. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms))
}

/**
 * Resolves when nothing moves any more: what there was to carry was carried, and timers that were due have gone off. Rejects with what a timer
 * throws, and with `timeout` when there is no end to it.
 */
export async function calm(): Promise<void> {
  const late = now() + PATIENCE
  let seen = moves
  for (let quiet = 0; quiet < QUIET; quiet++) {
    if (timers?.fire()) stir()
    await new Promise<void>((resolve) => void nextTurn(resolve))
    if (moves !== seen) quiet = -1
    seen = moves
    if (now() < late) continue
    throw new EventwireError(
      'timeout',
      `There was always more to do for ${PATIENCE} ms: a stream that never waits, or a timer of 0 ms that sets itself again.`,
    )
  }
}
