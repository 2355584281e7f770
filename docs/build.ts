/**
 * Builds the site of the documentation into docs/.vitepress/dist: `npm run docs`. Nothing is fetched from the network. A dead
 * link fails it, and so does an export without a docstring. To write, `npx vitepress dev docs` shows each change at once.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type * as TypeDoc from 'typedoc'
import { OUTSIDE } from './.vitepress/markdown.ts'

const DOCS = import.meta.dirname
const ROOT = dirname(DOCS)

/** The entries of the package by the names of their sources: `index`, `server`, … */
function entries(): string[] {
  const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { exports: Record<string, unknown> }
  const paths = Object.keys(exports).filter((path) => !path.endsWith('.json'))
  return paths.map((path) => (path === '.' ? 'index' : path.slice('./'.length)))
}

/** docs/api: a page for each entry, from the docstrings. */
async function writeApi({ Application }: typeof TypeDoc): Promise<void> {
  const app = await Application.bootstrapWithPlugins({
    plugin: ['typedoc-plugin-markdown'],
    options: join(DOCS, 'typedoc.json'),
    tsconfig: join(DOCS, 'tsconfig.json'),
    basePath: join(ROOT, 'src'),
    entryPoints: entries().map((entry) => join(ROOT, 'src', entry === 'index' ? 'index.ts' : `${entry}/index.ts`)),
    outputs: [{ name: 'markdown', path: join(DOCS, 'api') }],
  })
  const project = await app.convert()
  if (!project) throw new Error('The sources do not compile.')
  for (const entry of project.children ?? []) entry.name = entry.name === 'index' ? 'eventwire' : `eventwire/${entry.name}`
  app.validate(project)
  const bare = undocumented(project)
  if (bare.length > 0) throw new Error(`These exports have no docstring: ${bare.join(', ')}.`)
  if (app.logger.hasErrors() || app.logger.hasWarnings())
    throw new Error('The docstrings are not as they should be; what is wrong is said above.')
  await app.generateOutputs(project)
}

function undocumented({ children = [] }: TypeDoc.ProjectReflection): string[] {
  const isBare = (it: TypeDoc.DeclarationReflection): boolean =>
    // What two entries export has its docstring in one of them.
    !it.isReference() && !it.hasComment() && !it.signatures?.some((signature) => signature.hasComment())
  return children.flatMap((entry) => (entry.children ?? []).filter(isBare).map(({ name }) => `${name} of ${entry.name}`))
}

/** docs/project: pages that lie elsewhere in the repository. */
function copyPages(): void {
  for (const [source, page] of Object.entries(OUTSIDE)) {
    const target = join(DOCS, page)
    mkdirSync(dirname(target), { recursive: true })
    writeFileSync(target, readFileSync(join(ROOT, source)))
  }
}

/** A package of the documentation; says what to do where it is missing. */
async function installed<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load()
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause
    throw new Error(`The package ${name}, or one that it needs, is missing. Run \`npm ci\`.`, { cause })
  }
}

try {
  const typedoc = await installed('typedoc', () => import('typedoc'))
  const { build } = await installed('vitepress', () => import('vitepress'))
  for (const folder of ['api', 'project', '.vitepress/dist']) rmSync(join(DOCS, folder), { recursive: true, force: true })
  await writeApi(typedoc)
  copyPages()
  await build(DOCS)
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
