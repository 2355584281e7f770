import { posix } from 'node:path'
import type { MarkdownRenderer } from 'vitepress'

type Token = ReturnType<MarkdownRenderer['parse']>[number]

/** Pages of the project that lie outside of docs, and where the site has them. */
export const OUTSIDE: Readonly<Record<string, string>> = {
  'bench/README.md': 'project/bench.md',
  'bench/RESULTS.md': 'project/results.md',
  'CHANGELOG.md': 'project/changelog.md',
  'CONTRIBUTING.md': 'project/contributing.md',
  'SECURITY.md': 'project/security.md',
}

/** The id of a heading: as forges make them, so that a link with a `#` leads to the same place here and there. */
export function slugify(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc}\- ]/gu, '')
    .replaceAll(' ', '-')
}

/** Has Markdown that is written for the repository read well as a site. */
export function repositoryMarkdown(md: MarkdownRenderer): void {
  md.core.ruler.push('repository', ({ tokens, env }) => {
    const page = (env as { relativePath: string }).relativePath
    for (const token of tokens) {
      // Code that is set off by spaces alone would not scroll.
      if (token.type === 'code_block') Object.assign(token, { type: 'fence', info: 'text' })
      relink(token.children ?? [], page)
    }
  })
}

/** Leads the links of a page to where the site has what they mean. What it does not have, such as a source, is no link. */
function relink(inline: readonly Token[], page: string): void {
  let dropped = false
  for (const token of inline) {
    if (token.type === 'link_open') {
      const link = siteLink(page, token.attrGet('href') ?? '')
      if (link) token.attrSet('href', link)
      dropped = !link
    }
    if (dropped && token.type.startsWith('link_')) token.hidden = true
  }
}

/** Where a link of a page leads within the site; `undefined` where the site does not have it. */
function siteLink(page: string, href: string): string | undefined {
  if (/^([a-z]+:|#)/.test(href)) return href
  const [path = '', anchor] = href.split('#')
  const source = Object.keys(OUTSIDE).find((key) => OUTSIDE[key] === page) ?? `docs/${page}`
  const target = posix.join(posix.dirname(source), path)
  const inSite =
    target === 'README.md' ? 'index.md' : (OUTSIDE[target] ?? (/^docs\/.+\.md$/.test(target) ? target.slice('docs/'.length) : undefined))
  return inSite && `/${inSite}${anchor === undefined ? '' : `#${anchor}`}`
}
