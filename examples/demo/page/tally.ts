/** What one sample says about those before it. */
export interface Verdict {
  /** How many samples are missing right before it. */
  readonly lost: number
  /** Whether the stream had said that something would be. */
  readonly declared: boolean
  /** It was there before, or comes out of order. */
  readonly repeated: boolean
  /** It comes from another process of the server: what the old one sent last cannot be counted. */
  readonly restarted: boolean
}

/** Counts what the stream brought and, by the samples' own numbers, what it did not. Takes nobody's word for it. */
export interface Tally {
  readonly received: number
  readonly replayed: number
  readonly gaps: number
  readonly lost: number
  readonly undeclared: number
  readonly repeated: number
  /** How often another process of the server took over. */
  readonly restarts: number
  /** An event has come; true when it was replayed. */
  event(): boolean
  sample(n: number, startedAt: number): Verdict
  gap(): void
  /** The server has said how many events it replays: so many of the next ones. */
  replay(count: number): void
}

export function createTally(): Tally {
  const counts = { received: 0, replayed: 0, gaps: 0, lost: 0, undeclared: 0, repeated: 0, restarts: 0 }
  let last: { n: number; startedAt: number } | undefined
  let declared = false
  let replaying = 0
  return Object.assign(counts, {
    event() {
      counts.received++
      return replaying > 0 && replaying-- > 0
    },

    sample(n: number, startedAt: number) {
      const restarted = last !== undefined && last.startedAt !== startedAt
      const before = last === undefined ? n - 1 : restarted ? 0 : last.n
      const repeated = n <= before
      const verdict = { lost: repeated ? 0 : n - before - 1, declared, repeated, restarted }
      counts.lost += verdict.lost
      // A restart is a loss of its own, even if its size is unknown.
      if (!declared) counts.undeclared += restarted ? Math.max(1, verdict.lost) : verdict.lost
      if (restarted) counts.restarts++
      if (repeated) counts.repeated++
      else last = { n, startedAt }
      declared = false
      return verdict
    },

    gap() {
      counts.gaps++
      declared = true
    },

    replay(count: number) {
      counts.replayed += count
      replaying = count
    },
  })
}
