import { build, type BuildOptions } from 'esbuild'
import { serve } from './serve.ts'
import { ROOT } from './docs.ts'

/** Bundles a script for the browser, as an application does in development. */
export async function bundle(entry: string, options: BuildOptions = {}): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    absWorkingDir: ROOT,
    bundle: true,
    format: 'esm',
    target: 'es2022',
    conditions: ['development', 'browser'],
    ...options,
    define: { 'process.env.NODE_ENV': '"development"', ...options.define },
    write: false,
  })
  return outputFiles[0]!.text
}

/** Bundles a program and the sources that it imports into one text: Node alone cannot run them. */
export async function bundleProgram(path: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [path],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    // For what is CommonJS within.
    banner: { js: `import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(process.cwd() + '/');` },
  })
  return outputFiles[0]!.text
}

/** A page with a script, on an origin of its own. `main` is what it shows before the script runs. Gives its address. */
export async function servePage(script: string, main = '<main></main>'): Promise<string> {
  const page = `<!doctype html><link rel="icon" href="data:,">${main}<script type="module" src="/page.js"></script>`
  const { url } = await serve((request, response) => {
    const [type, body] = request.url === '/page.js' ? ['text/javascript', script] : ['text/html', page]
    response.setHeader('content-type', `${type}; charset=utf-8`).end(body)
  })
  return new URL('/', url).href
}
