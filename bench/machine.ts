import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { inBench, programOf } from './paths.ts'

/** What the figures were measured on and with, as lines of Markdown. */
export function describeMachine(): string[] {
  const [cpu] = cpus()
  return [
    `- Machine: ${cpu?.model.trim()}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    `- Runtimes: Node ${process.version.slice(1)}${versionOf('Bun', programOf('bun'), '--version')}${versionOf('Deno', programOf('deno'), '--version')}`,
    `- C: ${firstLine('cc', '--version')}${versionOf('Go', 'go', 'version')}`,
    `- Compared with: ${peers().join(', ')}`,
  ]
}

function peers(): string[] {
  const { dependencies } = JSON.parse(readFileSync(inBench('package.json'), 'utf8')) as { dependencies: Record<string, string> }
  return Object.entries(dependencies).map((pair) => pair.join(' '))
}

function versionOf(name: string, program: string, flag: string): string {
  const version = /\d+\.\d+(\.\d+)?/.exec(firstLine(program, flag))?.[0]
  return version === undefined ? '' : `, ${name} ${version}`
}

function firstLine(program: string, flag: string): string {
  return spawnSync(program, [flag], { encoding: 'utf8' }).stdout?.split('\n')[0] ?? ''
}
