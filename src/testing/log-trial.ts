import type { Awaitable } from '../awaitable.ts'
import type { Log, LogRecord } from '../server/log.ts'
import { Owner } from './log-owner.ts'

/** What makes the logs under test, and what is known of them. Documented at {@link TestLogOptions}. */
export interface TrialRules {
  readonly create: () => Awaitable<Log>
  readonly share: (() => Awaitable<readonly [Log, Log]>) | undefined
  readonly release: ((log: Log) => unknown) | undefined
  readonly reset: ((log: Log) => unknown) | undefined
  readonly events: number | undefined
  readonly patience: number
}

/** One run of a case: it makes the logs, and sees that they end with it. */
export class Trial {
  /** What was appended, by id. */
  readonly #appended = new Map<string, LogRecord>()
  readonly #logs = new Set<Log>()
  readonly #owners: Owner[] = []

  constructor(readonly rules: TrialRules) {}

  /** A fresh log, with an owner. */
  async create(): Promise<Owner> {
    return this.own(await this.rules.create())
  }

  /** Two logs on one store, which nobody owns yet. */
  async share(): Promise<readonly [Log, Log]> {
    const logs = await this.rules.share?.()
    if (!logs) throw new Error('`shared` gave no logs.')
    for (const log of logs) this.#logs.add(log)
    return logs
  }

  /** Takes a log as its owner. */
  async own(log: Log): Promise<Owner> {
    this.#logs.add(log)
    const owner = new Owner(log, this.#appended, this.rules.patience)
    this.#owners.push(owner)
    await owner.begin()
    return owner
  }

  /** More events than the log holds in memory, as far as that is known. */
  get many(): number {
    return (this.rules.events ?? 0) + 60
  }

  /** Runs a case. */
  async run(act: (trial: Trial) => Promise<void>): Promise<void> {
    try {
      await act(this)
      for (const owner of this.#owners) owner.check()
    } finally {
      for (const owner of this.#owners) owner.release()
      for (const log of this.#logs) await this.rules.release?.(log)
    }
  }
}

/** What is asked of a log, by a sentence that says so. */
export type Cases = Readonly<Record<string, (trial: Trial) => Promise<void>>>

const TOPICS = [undefined, 'A', 'B', 'A'] as const
const EVENTS = ['message', 'price', 'halted'] as const

/** Events of several names and topics, for everyone first. */
export function mixed(count: number): LogRecord[] {
  return Array.from({ length: count }, (_, i) => ({
    event: EVENTS[i % EVENTS.length]!,
    data: JSON.stringify({ n: i, text: 'x'.repeat(i % 50) }),
    topic: TOPICS[i % TOPICS.length],
  }))
}

/** Whole numbers, both ends included. */
export function span(first: number, last: number): number[] {
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => first + i)
}

/** The numbers of those events, appended to an empty log, that a topic hears. */
export function heard(records: readonly LogRecord[], topics: '*' | readonly string[]): number[] {
  return records.flatMap(({ topic }, i) => (topics === '*' || topic === undefined || topics.includes(topic) ? i + 1 : []))
}

/** The code of what a call fails with, at once or later; `undefined` when it does not fail. */
export async function codeOf(run: () => unknown): Promise<unknown> {
  try {
    await run()
    return undefined
  } catch (error) {
    return typeof error === 'object' && error !== null && 'code' in error ? error.code : String(error)
  }
}
