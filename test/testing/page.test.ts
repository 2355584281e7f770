import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Plugin } from 'esbuild'
import { afterAll, describe, expect, test } from 'vitest'
import { bundle, servePage } from '../support/bundle.ts'
import { missingChromium, openPage } from '../support/chromium.ts'
import { fences, MARKET, ROOT } from '../support/docs.ts'

/** The files of docs/guide/testing.md, in a folder of the project. */
const folder = await mkdtemp(join(ROOT, '.page-'))
afterAll(() => rm(folder, { recursive: true }))
const names: string[] = []
for (const code of [MARKET, ...fences('docs/guide/testing.md', 'ts', 'tsx').map((fence) => fence.code)]) {
  const [, name = ''] = /^\/\/ (\S+)\n/.exec(code) ?? []
  names.push(name)
  await writeFile(join(folder, name), code)
}

/** The tests of the page that need neither a DOM nor another runner. */
const PLAIN = names.filter((name) => /^(?!node\.).*\.test\.ts$/.test(name))

test('the page has a test for each of what it speaks of', () => {
  expect(names.filter((name) => name.includes('.test.'))).toEqual([
    'first.test.ts',
    'alerts.test.ts',
    'ticker.test.tsx',
    'prices.test.ts',
    'outage.test.ts',
    'node.test.ts',
  ])
})

// They are tests of this file too.
for (const name of PLAIN) describe(name, async () => void (await import(join(folder, name))))

test('node.test.ts passes under node --test', async () => {
  const { NODE_TEST_CONTEXT: _context, ...env } = process.env
  const { stdout } = await promisify(execFile)(process.execPath, ['--test', '--test-reporter=tap', join(folder, 'node.test.ts')], {
    cwd: folder,
    env,
  })
  expect(stdout).toMatch(/^# pass 1$/m)
})

describe.skipIf(missingChromium)('in Chromium', () => {
  test.each([...PLAIN, 'ticker.test.tsx'])('%s passes', async (name) => {
    const faults: string[] = []
    const url = await servePage(await bundle(join(folder, name), { jsx: 'automatic', plugins: [small] }))
    const page = await openPage(url, faults)
    const outcomes = await page.evaluate(() => globalThis.outcomes())
    expect(outcomes.length).toBeGreaterThan(0)
    expect(outcomes.filter((outcome) => outcome !== 'passed')).toEqual([])
    expect(faults).toEqual([])
  })
})

declare global {
  /** Runs the tests of a page, one after the other. */
  var outcomes: () => Promise<string[]>
}

/** As much of vitest as the page needs, where vitest itself does not run. */
const VITEST = `
  const tests = []
  let ends = []
  export const test = (name, run) => tests.push({ name, run })
  export const onTestFinished = (end) => ends.unshift(end)
  const has = (value, part) =>
    typeof part === 'object' && part !== null ? Object.entries(part).every(([key, of]) => has(value?.[key], of)) : Object.is(value, part)
  const check = (holds, value, wanted) => {
    if (!holds) throw new Error(JSON.stringify(value) + ' and not ' + JSON.stringify(wanted))
  }
  export const expect = (value) => ({
    toBe: (wanted) => check(Object.is(value, wanted), value, wanted),
    toMatchObject: (wanted) => check(has(value, wanted), value, wanted),
    toEqual: (wanted) => check(JSON.stringify(value) === JSON.stringify(wanted), value, wanted),
  })
  globalThis.outcomes = async () => {
    const outcomes = []
    for (const { name, run } of tests) {
      outcomes.push(await Promise.resolve().then(run).then(() => 'passed', (error) => name + ': ' + error))
      for (const end of ends.splice(0)) await end()
    }
    return outcomes
  }`

const small: Plugin = {
  name: 'vitest',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^vitest$/ }, () => ({ path: 'vitest', namespace: 'small' }))
    onLoad({ filter: /./, namespace: 'small' }, () => ({ contents: VITEST }))
  },
}
