import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { bundle, ICON } from '../shared/page.ts'
import { send } from './answer.ts'
import type { Methods, Routes } from './router.ts'

/** Nothing from anywhere else, and no script or style but the two files. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

/** Reads the page's files, bundles its script, and gives what answers with them, by path. */
export async function loadAssets(): Promise<Routes> {
  const [html, css, script] = await Promise.all([
    readFile(local('page.html'), 'utf8'),
    readFile(local('style.css'), 'utf8'),
    bundle(local('page.ts')),
  ])
  return new Map([
    ['/', asset('text/html; charset=utf-8', html, { 'content-security-policy': POLICY })],
    ['/page.js', asset('text/javascript; charset=utf-8', script)],
    ['/style.css', asset('text/css; charset=utf-8', css)],
    ['/favicon.ico', asset('image/svg+xml', ICON)],
  ])
}

function asset(type: string, body: string, headers: Record<string, string> = {}): Methods {
  return { GET: (_request, response) => send(response, 200, type, body, headers) }
}

function local(file: string): string {
  return fileURLToPath(new URL(file, import.meta.url))
}
