import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { dirname, join, normalize } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { slugify } from '../docs/.vitepress/markdown.ts'
import { compile, fences, MARKET, read, ROOT } from './support/docs.ts'

/** What docs/build.ts makes of other sources. */
const GENERATED = /^docs\/(api|project)\//

const PAGES = [
  ...['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md'].filter((page) => existsSync(join(ROOT, page))),
  ...readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .map((name) => `docs/${name}`)
    .filter((page) => page.endsWith('.md') && !GENERATED.test(page)),
]

/** The sources of all pages; each has a folder of its own, which need not exist. */
const sources = new Map(PAGES.flatMap((page) => [...sourcesOf(page)]))

/** What the compiler has to say of all pages, asked once. */
let complaints: readonly string[] | undefined

test.each(PAGES)('every piece of code in %s compiles', { timeout: 120_000 }, (page) => {
  complaints ??= compile(sources)
  expect(complaints.filter((complaint) => complaint.startsWith(`${folderOf(page)}/`))).toEqual([])
})

function folderOf(page: string): string {
  return join(ROOT, 'test/docs', page)
}

function sourcesOf(page: string): Map<string, string> {
  const files = new Map([[join(folderOf(page), 'market.ts'), MARKET]])
  for (const [i, { language, code }] of fences(page, 'ts', 'tsx').entries()) {
    files.set(join(folderOf(page), nameOf(code) ?? `${i}.${language}`), code)
  }
  return files
}

/** The name that a block gives itself in its first line, for others to import. */
function nameOf(code: string): string | undefined {
  return /^\/\/ ([\w.-]+\.tsx?)\n/.exec(code)?.[1]
}

test('the check sees a mistake', () => {
  const bad = MARKET.replace('z.number()', 'z.numbre()')
  expect(compile(new Map([[join(folderOf('bad.md'), 'market.ts'), bad]]))[0]).toContain(`'numbre' does not exist`)
})

const RUNNABLE = PAGES.flatMap((page) =>
  fences(page, 'ts').flatMap(({ code, prints }) => (prints === undefined ? [] : [{ page, code, prints }])),
)

test.each(RUNNABLE)('the code that $page shows in full runs, ends, and prints what it says', async ({ code, prints }) => {
  const folder = await mkdtemp(join(ROOT, '.page-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'market.ts'), MARKET)
  await writeFile(join(folder, 'run.ts'), code)
  const child = spawn(process.execPath, ['run.ts'], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], timeout: 20_000 })
  const [printed, refused] = await Promise.all([text(child.stdout), text(child.stderr)])
  expect({ printed, refused }).toEqual({ printed: prints, refused: '' })
})

test('the contract of the README is the one that the guide begins with', () => {
  for (const page of ['docs/index.md', 'docs/guide/install.md']) {
    expect(fences(page, 'ts')[0]?.code, page).toBe(MARKET)
  }
})

/** The ids of a page's headings, as forges make them. */
function anchors(page: string): Set<string> {
  const found = new Set<string>()
  for (const [, heading = ''] of prose(page).matchAll(/^#+ (.+)$/gm)) {
    const id = slugify(heading.replaceAll(/[`*]|\]\([^)]*\)/g, ''))
    let unique = id
    for (let n = 1; found.has(unique); n++) unique = `${id}-${n}`
    found.add(unique)
  }
  return found
}

/** A page without its code. */
function prose(page: string): string {
  return read(page).replaceAll(/^```[^]*?^```$/gm, '')
}

test.each([...PAGES, 'bench/README.md', 'bench/RESULTS.md'])(
  'every link in %s leads to a file of the project, and to a heading that is there',
  (page) => {
    for (const [, path = '', anchor] of prose(page).matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)) {
      const target = path === '' ? page : normalize(join(dirname(page), path))
      expect(existsSync(join(ROOT, target)), target).toBe(true)
      if (anchor !== undefined && target.endsWith('.md')) expect(anchors(target), `headings of ${target}`).toContain(anchor)
    }
  },
)

test('every error code has its line in docs/errors.md, and no other has', () => {
  const union = /export type ErrorCode =([^]*?)\n\n/.exec(read('src/errors.ts'))![1]!
  const codes = [...union.matchAll(/'([a-z-]+)'/g)].map(([, code]) => code)
  const documented = [...read('docs/errors.md').matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, code]) => code)
  expect(new Set(documented)).toEqual(new Set(codes))
  expect(documented).toHaveLength(codes.length)
})
