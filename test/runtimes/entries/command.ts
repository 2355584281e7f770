// For runtimes that are commands: runs the suite against the server whose address is given, and prints the results.
import { runSuite } from '../suite.ts'

console.log(JSON.stringify(await runSuite(process.argv[2]!)))
