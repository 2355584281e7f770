// Measures, prints the tables, and writes RESULTS.md:
//   npm run bench -- [suite ...] [--rounds 5] [--only server,...] [--sizes 1000x1,...] [--no-build]
// All suites unless some are named. With --only or --sizes, which some suites know, nothing is written.
import { parseArgs } from 'node:util'
import { foreign } from './measure.ts'
import { prepare } from './prepare.ts'
import { section, writeResults } from './results.ts'
import type { Suite } from './report.ts'

const NAMES = [
  'fanout',
  'http2',
  'web',
  'latency',
  'overload',
  'topics',
  'growth',
  'memory',
  'replay',
  'stalled',
  'compression',
  'emit',
  'client',
  'redis',
]
/** 10,000 connections, and what a runtime has open besides. */
const LEAST_FILES = 10_200

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    only: { type: 'string' },
    sizes: { type: 'string' },
    rounds: { type: 'string', default: '5' },
    'no-build': { type: 'boolean', default: false },
  },
})

const log = (line: string): void => console.error(line)

async function run(name: string): Promise<string> {
  const { suite } = (await import(`./suites/${name}.ts`)) as { suite: Suite }
  log(`${suite.name}: ${suite.about}`)
  const rounds = Number(values.rounds)
  const start = performance.now()
  const tables = await suite.run({ rounds, log, only: values.only?.split(','), sizes: values.sizes?.split(',') })
  const text = section(suite, tables, { rounds, seconds: (performance.now() - start) / 1000, foreign: foreign.splice(0) })
  console.log(text)
  return text
}

const unknown = positionals.filter((name) => !NAMES.includes(name))
if (unknown.length > 0) throw new Error(`There is no suite ${unknown.join(', ')}. There are ${NAMES.join(', ')}.`)
prepare({ build: !values['no-build'], leastFiles: LEAST_FILES })

const sections = new Map<string, string>()
for (const name of positionals.length > 0 ? positionals : NAMES) {
  sections.set(name, await run(name))
  // After each: what was measured is not lost with what fails behind it.
  if (!values.only && !values.sizes) writeResults(NAMES, sections)
}
