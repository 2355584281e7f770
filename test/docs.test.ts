import { readdirSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { compile, fences, MARKET, read, ROOT } from './support/docs.ts'

const PAGES = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

test.each(PAGES)('every piece of code in %s compiles', (page) => {
  // A folder that exists; the files in it need not.
  const folder = join(ROOT, 'docs')
  const files = new Map([[join(folder, 'market.ts'), MARKET]])
  for (const [i, { language, code }] of fences(page, 'ts', 'tsx').entries()) {
    if (!code.startsWith('// market.ts\n')) files.set(join(folder, nameOf(code) ?? `${i}.${language}`), code)
  }
  expect(compile(files)).toEqual([])
})

/** The name that a block gives itself in its first line, for others to import. */
function nameOf(code: string): string | undefined {
  return /^\/\/ ([\w-]+\.tsx?)\n/.exec(code)?.[1]
}

test('the check sees a mistake', () => {
  const bad = MARKET.replace('z.number()', 'z.numbre()')
  expect(compile(new Map([[join(ROOT, 'docs', 'market.ts'), bad]]))[0]).toContain(`'numbre' does not exist`)
})

test.each(PAGES)('every link in %s leads to a file of the project', (page) => {
  const links = [...read(page).matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, link]) => normalize(join(dirname(page), link!)))
  for (const link of links) expect(ts.sys.fileExists(join(ROOT, link)), link).toBe(true)
})

test('every error code has its line in docs/errors.md, and no other has', () => {
  const union = /export type ErrorCode =([^]*?)\n\n/.exec(read('src/errors.ts'))![1]!
  const codes = [...union.matchAll(/'([a-z-]+)'/g)].map(([, code]) => code)
  const documented = [...read('docs/errors.md').matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, code]) => code)
  expect(new Set(documented)).toEqual(new Set(codes))
  expect(documented).toHaveLength(codes.length)
})
