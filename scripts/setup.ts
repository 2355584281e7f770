// Sees to what the tests need beside the library's own packages.
import { ensureProgram, PROGRAMS } from './programs.ts'
import { ensureRuntimes } from './runtimes.ts'

for (const program of PROGRAMS) ensureProgram(program)
ensureRuntimes()
