import { spawnSync } from 'node:child_process'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Every example, and the idea that it teaches. Each is a folder beside this file. */
const EXAMPLES = {
  workers: 'a stream of its own for each connection, which stops when the client leaves',
  'crypto-price': 'a typed generator, a page that plots it',
  'send-event': 'POST a message to everybody; who comes late, or was cut, misses nothing',
  broker: 'one source, many clients, the slow and the vanished among them',
  status: 'a poll that comes to an end, behind nginx',
  chat: 'rooms, history, cookies, and two processes on one Redis',
  llm: 'an answer token by token: POST, stop, resume after a reload',
}

/** `npm run example` passes it, so that what runs is what the sources say. */
const BUILD = '--build'

const args = process.argv.slice(2)
const name = args.find((arg) => arg !== BUILD) ?? ''

if (Object.hasOwn(EXAMPLES, name)) {
  if (args.includes(BUILD) && isStale()) build()
  await import(new URL(`./${name}/server.ts`, import.meta.url).href)
} else {
  const list = Object.entries(EXAMPLES).map(([example, idea]) => `  ${example.padEnd(14)}${idea}`)
  const fault = name ? `There is no example ${JSON.stringify(name)}.` : 'Say which one.'
  console.error(`${fault} There are, with npm run example NAME:\n\n${list.join('\n')}`)
  process.exitCode = 1
}

/** Whether a source is newer than what was built. If none is, nothing is built: another example may be running on it. */
function isStale(): boolean {
  const root = join(import.meta.dirname, '..')
  const built = statSync(join(root, 'dist/index.js'), { throwIfNoEntry: false })?.mtimeMs ?? 0
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
  return sources.some((source) => statSync(join(root, 'src', source)).mtimeMs > built)
}

function build(): void {
  console.log('Building…')
  const { status } = spawnSync('npm run -s build', { cwd: join(import.meta.dirname, '..'), shell: true, stdio: 'inherit' })
  if (status !== 0) process.exit(1)
}
