import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../', import.meta.url))
const PAGES = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]

const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8')
const blocks = (page: string): string[] => [...read(page).matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, code]) => code!)

/** The contract that every page builds on: the README's. */
const MARKET = blocks('README.md').find((code) => code.startsWith('// market.ts'))!

test.each(PAGES)('every piece of code in %s compiles', (page) => {
  // A folder that exists; the files in it need not.
  const folder = join(ROOT, 'docs')
  const files = new Map([[join(folder, 'market.ts'), MARKET]])
  for (const [i, code] of blocks(page).entries()) {
    if (!code.startsWith('// market.ts')) files.set(join(folder, `${i}.ts`), code)
  }
  expect(compile(files)).toEqual([])
})

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

/** The compiler's complaints about sources that need not exist on disk, under the project's own settings. */
function compile(files: ReadonlyMap<string, string>): string[] {
  const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile)
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, ROOT)
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = (name) => files.has(name) || fileExists(name)
  host.readFile = (name) => files.get(name) ?? readFile(name)
  host.getSourceFile = (name, version, ...rest) =>
    files.has(name) ? ts.createSourceFile(name, files.get(name)!, version) : getSourceFile(name, version, ...rest)
  const program = ts.createProgram([...files.keys()], options, host)
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText, file }) => `${file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`)
}
