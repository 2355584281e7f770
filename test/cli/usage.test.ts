import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { painter } from '../../src/cli/terminal.ts'
import { run } from './cli.ts'

const URL = 'http://127.0.0.1:1/events'

test('--version says the version of the package', async () => {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
  expect(await run(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
})

test.each([
  [['--help'], 'eventwire check URL'],
  [['help'], 'eventwire tail URL'],
  [['help', 'tail'], '--last-event-id ID'],
  [['tail', '--help'], '--last-event-id ID'],
  [['help', 'check'], '--origin ORIGIN'],
  [['check', URL, '-h'], '--origin ORIGIN'],
])('%j shows help, and is no mistake', async (args, part) => {
  const { code, stdout, stderr } = await run(args)
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  expect(stdout).toContain(part)
})

test('without arguments it shows what there is, as a mistake', async () => {
  expect(await run([])).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('eventwire tail URL') })
})

test.each([
  [['tial', URL], 'no command "tial"'],
  [['--verbose'], 'no option "--verbose"'],
  [['help', 'me'], 'no command "me"'],
  [['tail', URL, '--loud'], `Unknown option '--loud'. eventwire help tail lists the options.`],
  [['check', URL, '--event', 'price'], `Unknown option '--event'`],
  [['tail', URL, '--header'], '--header'],
  [['tail'], 'wants the address'],
  [['tail', URL, 'another'], 'takes one address'],
  [['tail', 'localhost:3000/events'], 'it begins with http:// or https://'],
  [['tail', 'http://[bad'], 'is no address'],
  [['tail', 'http://me:secret@127.0.0.1/'], 'leave the name and the password out'],
  [['tail', URL, '--header', 'authorization'], `give 'Name: value'`],
  [['tail', URL, '--header', 'a b: c'], 'cannot be sent'],
  [['check', URL, '--time', 'long'], 'give a number of seconds'],
  [['check', URL, '--time', '-1'], 'is ambiguous. eventwire help check'],
  [['check', URL, '--time', '0'], 'give a number of seconds'],
  [['check', URL, '--origin', 'app.example'], 'give one such as https://app.example'],
])('%j is said to be wrong in one line', async (args, part) => {
  const { code, stdout, stderr } = await run(args)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(stderr).toMatch(/^eventwire: [^\n]*\n$/)
  expect(stderr).toContain(part)
})

test.each([
  [true, {}, true],
  [undefined, {}, false],
  [true, { NO_COLOR: '1' }, false],
  [true, { NO_COLOR: '' }, true],
  [true, { TERM: 'dumb' }, false],
  [undefined, { FORCE_COLOR: '1' }, true],
  [undefined, { FORCE_COLOR: '' }, true],
  [true, { FORCE_COLOR: '0' }, false],
  [true, { FORCE_COLOR: 'false' }, false],
  [undefined, { FORCE_COLOR: '1', NO_COLOR: '1' }, true],
])('on a terminal: %j, with %j, it has colours: %j', (isTTY, env, coloured) => {
  expect(painter({ isTTY: isTTY as boolean }, env)('red', 'x')).toBe(coloured ? '\x1b[31mx\x1b[0m' : 'x')
})
