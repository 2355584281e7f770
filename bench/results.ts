import { readFileSync, writeFileSync } from 'node:fs'
import { describeMachine } from './machine.ts'
import { inBench } from './paths.ts'
import { toMarkdown, type Suite, type Table } from './report.ts'
import { median } from './statistics.ts'

const FILE = inBench('RESULTS.md')

/** How a suite was run. */
export interface Conditions {
  rounds: number
  seconds: number
  /** Shares of the server's core that others took meanwhile. */
  foreign: readonly number[]
}

/** The section of a suite, as it stands in RESULTS.md. */
export function section({ name, about }: Suite, tables: readonly Table[], { rounds, seconds, foreign }: Conditions): string {
  const noise =
    foreign.length === 0 ? '' : ` Others took ${Math.max(0, median(foreign) * 100).toFixed(1)} % of the server's core meanwhile (median).`
  const how = `${new Date().toISOString().slice(0, 10)}, ${rounds} ${rounds === 1 ? 'round' : 'rounds'}, ${Math.round(seconds)} s.${noise}`
  return [`## ${name}`, '', about, '', how, '', ...tables.map(toMarkdown)].join('\n')
}

/** Writes RESULTS.md: the given sections in their order, and of the others those that it has. */
export function writeResults(names: readonly string[], sections: ReadonlyMap<string, string>): void {
  const kept = readSections()
  const body = names.flatMap((name) => sections.get(name) ?? kept.get(name) ?? [])
  writeFileSync(FILE, `${head()}\n${body.map((text) => text.trim()).join('\n\n')}\n`)
}

function head(): string {
  const text = 'Written by `npm run bench`. What is measured, and how to read it, is in [README.md](README.md).'
  return ['# Results', '', text, '', ...describeMachine(), ''].join('\n')
}

function readSections(): Map<string, string> {
  let text = ''
  try {
    text = readFileSync(FILE, 'utf8')
  } catch {
    // Nothing was measured yet.
  }
  const parts = text.split(/^(?=## )/m).slice(1)
  return new Map(parts.map((part) => [/^## (.*)/.exec(part)?.[1] ?? '', part]))
}
