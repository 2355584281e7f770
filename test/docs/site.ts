import { readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { ROOT } from '../support/docs.ts'
import { serve } from '../support/serve.ts'

/** Where docs/build.ts puts the site. */
export const SITE = join(ROOT, 'docs/.vitepress/dist')

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
}

/** The site on an origin of its own. Gives its address. */
export async function serveSite(): Promise<string> {
  const { url } = await serve((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://site')
    const file = join(SITE, pathname.endsWith('/') ? `${pathname}index.html` : pathname)
    readFile(file).then(
      (body) => response.setHeader('content-type', TYPES[extname(file)] ?? 'application/octet-stream').end(body),
      () => response.writeHead(404).end(),
    )
  })
  return new URL('/', url).href
}
