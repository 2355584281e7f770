import { absence, findProgram, type Program } from '../../scripts/programs.ts'

/** Why the tests that need a program cannot run here; `undefined` when they can. Where `CI` is set they run, and fail, in any case. */
export function missing(program: Program): string | undefined {
  return findProgram(program) || process.env['CI'] ? undefined : absence(program)
}

/** The path of a program. */
export function pathOf(program: Program): string {
  const path = findProgram(program)
  if (!path) throw new Error(absence(program))
  return path
}
