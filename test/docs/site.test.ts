import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, posix } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missingChromium, openPage } from '../support/chromium.ts'
import { read } from '../support/docs.ts'
import { buildSite, serveSite } from './site.ts'

/** Where it is built. */
const folder = mkdtempSync(join(tmpdir(), 'eventwire-site-'))
afterAll(() => rmSync(folder, { recursive: true }))
const docs = join(folder, 'docs')
const site = join(docs, '.vitepress/dist')

/** The pages of the site as they were built, by path. */
const html = new Map<string, string>()

/** Paths of all files in a folder that end so. */
function filesIn(root: string, ending: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith(ending))
}

beforeAll(async () => {
  await buildSite(folder)
  for (const path of filesIn(site, '.html')) html.set(path, readFileSync(join(site, path), 'utf8'))
}, 240_000)

/** Where the links of a page lead. */
function linksOf(page: string): { readonly path: string; readonly anchor: string | undefined }[] {
  const hrefs = [...html.get(page)!.matchAll(/<a [^>]*?href="(?!https?:|mailto:)([^"]*)"/g)].map(([, href = '']) => href)
  return hrefs.map((href) => {
    const [path = '', anchor] = href.split('#')
    const target =
      path === ''
        ? page
        : posix.join('/', posix.dirname(page), path.startsWith('/') ? posix.relative(`/${posix.dirname(page)}`, path) : path)
    const file = target.endsWith('/') || path.endsWith('/') ? posix.join(target, 'index.html') : target
    return { path: file.replace(/^\//, ''), anchor: anchor === '' ? undefined : anchor }
  })
}

describe('the site of the documentation', () => {
  test('has every page of docs, and shows it in its menu', () => {
    const menu = new Set(linksOf('index.html').map(({ path }) => path))
    const pages = filesIn(docs, '.md').map((page) => page.replace(/\.md$/, '.html'))
    expect(pages.filter((page) => !html.has(page))).toEqual([])
    expect(pages.filter((page) => !menu.has(page))).toEqual([])
  })

  test('describes each entry of the package', () => {
    const { exports } = JSON.parse(read('package.json')) as { exports: Record<string, unknown> }
    const entries = Object.keys(exports).filter((path) => !path.endsWith('.json'))
    const pages = entries.map((path) => posix.join('api/eventwire', path) + '.html')
    expect(pages.filter((page) => !html.has(page))).toEqual([])
    expect(html.get('api/eventwire/server.html')).toContain('id="createemitter"')
  })

  test('has no link that leads nowhere, nor to a heading that is not there', () => {
    const dead = [...html.keys()].flatMap((page) =>
      linksOf(page)
        .filter(
          ({ path, anchor }) =>
            !existsSync(join(site, path)) || (anchor !== undefined && !html.get(path)?.includes(`id="${decodeURIComponent(anchor)}"`)),
        )
        .map(({ path, anchor = '' }) => `${page}: ${path}#${anchor}`),
    )
    expect([...new Set(dead)]).toEqual([])
  })

  test.skipIf(missingChromium)('needs nothing from elsewhere, and is searched in the browser', async () => {
    const origin = await serveSite(site)
    const faults: string[] = []
    const page = await openPage('about:blank', faults)
    const foreign: string[] = []
    page.on('request', (request) => {
      if (!request.url().startsWith(origin) && !request.url().startsWith('data:')) foreign.push(request.url())
    })
    await page.goto(origin)
    const search = page.getByPlaceholder('Search')
    // Nobody listens to keys before the script of the page has run.
    while (!(await search.isVisible())) {
      await page.keyboard.press('Control+k')
      await search.waitFor({ timeout: 500 }).catch(() => {})
    }
    await search.fill('superseded')
    await page.locator('.results .result').first().waitFor()
    expect({ foreign, faults }).toEqual({ foreign: [], faults: [] })
  })
})
