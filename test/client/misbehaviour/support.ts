import { onTestFinished, vi } from 'vitest'
import type { Status } from 'eventwire/client'
import { subscribe, type Subscribed } from '../../support/subscribe.ts'

/** The head of a stream in chunks. */
export const CHUNKED_HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n'

/** The end of a stream that the client must not come back to. */
export const END = 'event: $end\ndata: {"reason":"done"}\n\n'

/** The head of a `200` with further header lines, each with its CRLF. */
export function headWith(lines: string): string {
  return `HTTP/1.1 200 OK\r\nconnection: close\r\n${lines}\r\n`
}

/** One chunk of a chunked body. */
export function chunk(data: string | Uint8Array): Buffer {
  const bytes = Buffer.from(data)
  return Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')])
}

/** What a request brings in `Last-Event-ID`; `undefined` when it brings none. */
export function cursorOf(head: string): string | undefined {
  return /^last-event-id: ?([^\r\n]*)\r$/im.exec(head)?.[1]
}

/** The path that a request asks for, with its query. */
export function pathOf(head: string): string {
  return /^[A-Z]+ (\S+) /.exec(head)![1]!
}

/** Subscribes to messages, and waits for what becomes of the first attempt: it opens, closes, or another is waited for. */
export function firstFate({ stream, status }: Subscribed): Promise<Status> {
  const decided = status((it) => it.state !== 'connecting' || it.retryAt !== undefined)
  stream.on('message', () => {})
  return decided
}

/** All messages of a stream up to its end for good. */
export async function heardUntilEnd(url: string, options: Parameters<typeof subscribe>[1] = {}): Promise<string[]> {
  const { stream } = subscribe(url, options)
  const heard: string[] = []
  stream.on('message', (text) => void heard.push(text))
  const { reason, error } = await stream.closed
  if (reason !== 'ended') throw error ?? new Error(`The stream was ${reason}.`)
  return heard
}

/**
 * Makes the shortest waits between attempts shorter still, for tests of what comes behind them. For `beforeEach`; gives
 * what undoes it.
 */
export function shortWaits(): () => void {
  const { setTimeout: timer } = globalThis
  const quick = (run: () => void, ms = 0): NodeJS.Timeout => timer(run, ms >= 250 && ms <= 500 ? 5 : ms)
  const spy = vi.spyOn(globalThis, 'setTimeout').mockImplementation(quick)
  return () => {
    spy.mockRestore()
  }
}

/** Counts the timers that keep the process alive, of those set from now on to the end of the test. */
export function countTimers(): () => number {
  const { setTimeout: set, clearTimeout: clear } = globalThis
  const live = new Set<NodeJS.Timeout>()
  const setting = (run: () => void, ms = 0): NodeJS.Timeout => {
    const timer = set(() => {
      live.delete(timer)
      run()
    }, ms)
    live.add(timer)
    return timer
  }
  const clearing = (timer: NodeJS.Timeout | string | number | undefined): void => {
    if (typeof timer === 'object') live.delete(timer)
    clear(timer)
  }
  const spies = [
    vi.spyOn(globalThis, 'setTimeout').mockImplementation(setting),
    vi.spyOn(globalThis, 'clearTimeout').mockImplementation(clearing),
  ]
  onTestFinished(() => spies.forEach((spy) => spy.mockRestore()))
  return () => [...live].filter((timer) => timer.hasRef()).length
}

/** Runs `run` for each item, no more than `size` at once. */
export async function inBatches<T>(items: readonly T[], size: number, run: (item: T) => Promise<void>): Promise<void> {
  for (let i = 0; i < items.length; i += size) await Promise.all(items.slice(i, i + size).map(run))
}

/** The whole numbers from `from` up to and including `to`. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}
