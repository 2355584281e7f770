import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { send } from './answer.ts'
import type { Methods, Routes } from './router.ts'

/** Nothing from anywhere else, and no script or style but the two files. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="#1d5fd1"/><path d="M3 9h2.2l1.6-4.5 2.4 7L10.8 9H13" fill="none" stroke="#fff" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"/></svg>`

/** Reads the page's files, bundles its script, and gives what answers with them, by path. */
export async function loadAssets(): Promise<Routes> {
  const [html, css, script] = await Promise.all([readFile(local('page.html'), 'utf8'), readFile(local('style.css'), 'utf8'), bundle()])
  return new Map([
    ['/', asset('text/html; charset=utf-8', html, { 'content-security-policy': POLICY })],
    ['/page.js', asset('text/javascript; charset=utf-8', script)],
    ['/style.css', asset('text/css; charset=utf-8', css)],
    ['/favicon.ico', asset('image/svg+xml', ICON)],
  ])
}

async function bundle(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [local('page.ts')],
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

function asset(type: string, body: string, headers: Record<string, string> = {}): Methods {
  return { GET: (_request, response) => send(response, 200, type, body, headers) }
}

function local(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url))
}
