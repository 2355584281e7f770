import type { Project } from '../project.ts'
import type { Servers } from '../server.ts'
import type { Result } from '../suite.ts'

/** A JavaScript runtime that the suite can be run in. */
export interface Engine {
  readonly name: string
  /** Why it cannot be run here; `undefined` when it can. */
  readonly missing: string | undefined
  run(place: Place): Promise<Result[]>
}

/** Where the suite is, and what it is run against. */
export interface Place extends Pick<Servers, 'origin' | 'page'> {
  readonly project: Project
}
