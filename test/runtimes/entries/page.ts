// For pages: `results` is the promise of the results.
import { runSuite } from '../suite.ts'

Object.assign(globalThis, { results: runSuite(decodeURIComponent(location.search.slice(1))) })
