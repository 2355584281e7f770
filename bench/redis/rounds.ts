import { median, ratio } from '../statistics.ts'

/** What the rounds gave for each case, each in its place; `undefined` where a run failed. */
export class Rounds<Case, Result> {
  readonly #of = new Map<Case, (Result | undefined)[]>()

  set(one: Case, round: number, result: Result | undefined): void {
    const rounds = this.#of.get(one) ?? []
    rounds[round] = result
    this.#of.set(one, rounds)
  }

  /** The values of a figure, one per round. */
  values(one: Case, pick: (result: Result) => number): number[] {
    return Array.from(this.#of.get(one) ?? [], (result) => (result === undefined ? Number.NaN : pick(result)))
  }

  median(one: Case, pick: (result: Result) => number): number {
    return median(this.values(one, pick))
  }

  /** The median of the ratios to another case in the same round. */
  ratio(one: Case, base: Case, pick: (result: Result) => number): number {
    return ratio(this.values(one, pick), this.values(base, pick))
  }

  /** The median of what lies between it and another case in the same round. */
  above(one: Case, base: Case, pick: (result: Result) => number): number {
    const under = this.values(base, pick)
    return median(this.values(one, pick).map((value, round) => value - (under[round] ?? Number.NaN)))
  }
}

/** Measures all cases once a round, in reverse order every other round. A run that fails is told of and left out. */
export async function inRounds<Case, Result>(
  cases: readonly Case[],
  rounds: number,
  log: (line: string) => void,
  measure: (one: Case) => Promise<Result>,
): Promise<Rounds<Case, Result>> {
  const results = new Rounds<Case, Result>()
  for (let round = 0; round < rounds; round++) {
    for (const one of round % 2 === 0 ? cases : cases.toReversed()) {
      try {
        results.set(one, round, await measure(one))
      } catch (error) {
        log(String(error))
      }
    }
    log(`round ${round + 1} of ${rounds} done`)
  }
  return results
}
