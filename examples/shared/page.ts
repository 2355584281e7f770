import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { Refusal } from './http.ts'
import type { Handler } from './serve.ts'

export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="#1d5fd1"/><path d="M3 9h2.2l1.6-4.5 2.4 7L10.8 9H13" fill="none" stroke="#fff" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"/></svg>`

/** The page of an example, the script that is bundled for it, and the style that all pages have, by path. */
export async function loadPage(name: string): Promise<Record<string, Handler>> {
  const [html, css, script] = await Promise.all([
    readFile(local(`../${name}/page.html`), 'utf8'),
    readFile(local('style.css'), 'utf8'),
    bundle(local(`../${name}/page.ts`)),
  ])
  return {
    '/': asset('text/html', html),
    '/page.js': asset('text/javascript', script),
    '/style.css': asset('text/css', css),
    '/favicon.ico': asset('image/svg+xml', ICON),
  }
}

/** The script of a page, with all that it imports. */
export async function bundle(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
    // The tsconfig of this repository leads 'eventwire' to its sources; the page is to run what is published.
    tsconfigRaw: {},
    // Nor is it a package of node_modules to esbuild, which then notes that its parts have no side effects.
    logOverride: { 'ignored-bare-import': 'silent' },
  })
  return outputFiles[0]?.text ?? ''
}

function asset(type: string, body: string): Handler {
  return (request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') throw new Refusal(405, 'Ask for it with GET.', { allow: 'GET, HEAD' })
    response.writeHead(200, { 'content-type': `${type}; charset=utf-8`, 'cache-control': 'no-store' }).end(body)
  }
}

function local(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url))
}
