import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseCheck, parseTail } from './args.ts'
import { check } from './check.ts'
import type { ExitCode } from './exit-code.ts'
import { HELP, HELPS } from './help.ts'
import { tail } from './tail.ts'
import { EventwireError } from '../errors.ts'
import { printable } from './terminal.ts'

/** Runs the program with what stands behind its name. */
export async function main(args: readonly string[]): Promise<ExitCode> {
  // Whoever read what we say may leave first. For what is shown, each command sees to that itself.
  process.stderr.on('error', () => {})
  try {
    return await run(args)
  } catch (error) {
    if (!(error instanceof EventwireError && error.code === 'invalid-option')) throw error
    console.error(printable(`eventwire: ${error.message}`))
    return 2
  }
}

async function run([first, ...rest]: readonly string[]): Promise<ExitCode> {
  const command = first ?? ''
  if (command === '--version' || command === '-v') return show(version())
  if (command === '--help' || command === '-h') return show(HELP)
  if (command === 'help') return show(helpOf(rest[0]))
  if (command === '') {
    console.error(HELP)
    return 2
  }
  const help = helpOf(command)
  if (rest.includes('--help') || rest.includes('-h')) return show(help)
  return command === 'tail' ? tail(parseTail(rest)) : check(parseCheck(rest))
}

function helpOf(command: string | undefined): string {
  if (command === undefined) return HELP
  const help = HELPS.get(command)
  if (help === undefined) {
    const what = command.startsWith('-') ? 'option' : 'command'
    throw new EventwireError('invalid-option', `there is no ${what} ${JSON.stringify(command)}; eventwire --help lists what there is.`)
  }
  return help
}

function show(text: string): ExitCode {
  console.log(text)
  return 0
}

/** By the package's own name, so that it is found from the source and from what is built of it. */
function version(): string {
  const path = fileURLToPath(import.meta.resolve('eventwire/package.json'))
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
}
