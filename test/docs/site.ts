import { execFile } from 'node:child_process'
import { cp, readFile, symlink } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { promisify } from 'node:util'
import { OUTSIDE } from '../../docs/.vitepress/markdown.ts'
import { ROOT } from '../support/docs.ts'
import { serve } from '../support/serve.ts'

/** All that docs/build.ts reads. */
const SOURCES = ['docs', 'src', 'package.json', 'tsconfig.json', ...Object.keys(OUTSIDE)]

/** What it has written where it was run before. */
const WRITTEN = new Set(['docs/api', 'docs/project', 'docs/.vitepress/cache', 'docs/.vitepress/dist'].map((path) => join(ROOT, path)))

/** Runs docs/build.ts in a copy of the project, so that nothing changes in the folders that other tests read. */
export async function buildSite(folder: string): Promise<void> {
  const filter = (path: string): boolean => !WRITTEN.has(path)
  await Promise.all(SOURCES.map((path) => cp(join(ROOT, path), join(folder, path), { recursive: true, filter })))
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'))
  await promisify(execFile)(process.execPath, [join(folder, 'docs/build.ts')], { cwd: folder })
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
}

/** A built site on an origin of its own. Gives its address. */
export async function serveSite(site: string): Promise<string> {
  const { url } = await serve((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://site')
    const file = join(site, pathname.endsWith('/') ? `${pathname}index.html` : pathname)
    readFile(file).then(
      (body) => response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream').end(body),
      () => response.writeHead(404).end(),
    )
  })
  return new URL('/', url).href
}
