// Sees to what the tests need beside npm's packages.
import { ensureProgram, PROGRAMS } from './programs.ts'

for (const program of PROGRAMS) ensureProgram(program)
