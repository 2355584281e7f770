/** How the program ends: it has done its work; something is wrong with the stream; it was called wrongly. */
export type ExitCode = 0 | 1 | 2
