import { measure, type Load, type Measurement, type Server } from './measure.ts'
import { median, ratio } from './statistics.ts'

/** One server under one load. */
export interface Case {
  readonly server: Server
  readonly load: Load
  /** The most rounds it takes part in, where it is slow. */
  readonly rounds?: number
}

/** What the rounds gave, each in its place; `undefined` where a run failed. */
export class Results {
  readonly #of = new Map<string, (Measurement | undefined)[]>()

  add(server: string, load: string, round: number, measurement: Measurement | undefined): void {
    const key = `${server}\n${load}`
    const rounds = this.#of.get(key) ?? []
    rounds[round] = measurement
    this.#of.set(key, rounds)
  }

  /** The values of a figure, one per round. */
  values(server: string, load: string, pick: (measurement: Measurement) => number): number[] {
    return Array.from(this.#of.get(`${server}\n${load}`) ?? [], (one) => (one ? pick(one) : Number.NaN))
  }

  median(server: string, load: string, pick: (measurement: Measurement) => number): number {
    return median(this.values(server, load, pick))
  }

  /** The median of the ratios to another server in the same round. */
  ratio(server: string, base: string, load: string, pick: (measurement: Measurement) => number, baseLoad = load): number {
    return ratio(this.values(server, load, pick), this.values(base, baseLoad, pick))
  }
}

/** A short name of a load, for tables and to tell one from the other. */
export function nameOf({ clients, burst = 1, rate, mode }: Load): string {
  return mode === 'connect' ? `${clients}` : mode === 'fixed' ? `${clients}@${rate}` : `${clients}x${burst}`
}

/**
 * Measures all cases once a round, in reverse order every other round, so that what drifts on the machine weighs on all alike.
 * A run that fails is told of and left out.
 */
export async function interleave(
  cases: readonly Case[],
  rounds: number,
  log: (line: string) => void,
  label: (load: Load) => string = nameOf,
): Promise<Results> {
  const results = new Results()
  for (let round = 0; round < rounds; round++) {
    const inTurn = cases.filter((one) => round < (one.rounds ?? rounds))
    for (const { server, load } of round % 2 === 0 ? inTurn : inTurn.toReversed()) {
      try {
        results.add(server.name, label(load), round, await measure(server, load))
      } catch (error) {
        log(String(error))
      }
    }
    log(`round ${round + 1} of ${rounds} done`)
  }
  return results
}
