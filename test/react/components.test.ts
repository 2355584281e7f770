import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { BuildOptions, OnLoadResult, Plugin } from 'esbuild'
import { compile as compileSvelte } from 'svelte/compiler'
import { expect, onTestFinished, test, vi } from 'vitest'
import { compileScript, parse } from 'vue/compiler-sfc'
import { bundle, servePage } from '../support/bundle.ts'
import { missingChromium, openPage } from '../support/chromium.ts'
import { fences, MARKET, ROOT } from '../support/docs.ts'
import { serveEmitter } from '../support/emitter.ts'
import { price } from '../support/market.ts'

type Side = 'client' | 'server'

interface Framework {
  /** Shows the components of the page. `leave` takes them away. */
  readonly main: string
  /** Renders them to HTML. */
  readonly server: string
  readonly options?: (side: Side) => BuildOptions
}

const FRAMEWORKS: Readonly<Record<string, Framework>> = {
  react: {
    main: `
      import { createElement, StrictMode } from 'react'
      import { createRoot } from 'react-dom/client'
      import { Messages, Price } from './prices.tsx'
      const root = createRoot(document.querySelector('main'))
      root.render(createElement(StrictMode, null, createElement(Price), createElement(Messages)))
      window.leave = () => root.unmount()`,
    server: `
      import { createElement } from 'react'
      import { renderToString } from 'react-dom/server'
      import { Price } from './prices.tsx'
      export const html = async () => renderToString(createElement(Price))`,
  },
  vue: {
    main: `
      import { createApp } from 'vue'
      import Price from './Price.vue'
      const app = createApp(Price)
      app.mount('main')
      window.leave = () => app.unmount()`,
    server: `
      import { createSSRApp } from 'vue'
      import { renderToString } from 'vue/server-renderer'
      import Price from './Price.vue'
      export const html = () => renderToString(createSSRApp(Price))`,
    options: () => ({
      define: { __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false', __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false' },
      plugins: [
        loads(/\.vue$/, (source, filename) => {
          const { descriptor } = parse(source, { filename })
          return { loader: 'ts', contents: compileScript(descriptor, { id: filename, inlineTemplate: true }).content }
        }),
      ],
    }),
  },
  svelte: {
    main: `
      import { mount, unmount } from 'svelte'
      import Price from './Price.svelte'
      const app = mount(Price, { target: document.querySelector('main') })
      window.leave = () => unmount(app)`,
    server: `
      import { render } from 'svelte/server'
      import Price from './Price.svelte'
      export const html = async () => render(Price).body`,
    options: (generate) => ({
      plugins: [loads(/\.svelte$/, (source, filename) => ({ contents: compileSvelte(source, { filename, generate }).js.code }))],
    }),
  },
}

const names = Object.keys(FRAMEWORKS)

test.skipIf(missingChromium).each(names)(
  'the components of docs/frontends/%s.md show what comes, and close the stream when they leave',
  async (name) => {
    const { url, emitter, connected } = await serveEmitter({ cors: { origins: '*' } })
    const faults: string[] = []
    const page = await openPage(await servePage(await build(name, url, 'client')), faults)
    await connected(1)
    await emitter.emit('price', price(64_000))
    await emitter.emit('message', 'hello')
    await emitter.emit('message', 'again')
    await page.locator('p.open', { hasText: '64000' }).waitFor()
    await page.getByText('again').waitFor()
    expect(await page.getByText('hello').count()).toBe(1)
    await page.evaluate('leave()')
    await connected(0)
    expect(faults).toEqual([])
  },
)

test.each(names)('the components of docs/frontends/%s.md open nothing on the server', async (name) => {
  const asked = vi.spyOn(globalThis, 'fetch')
  onTestFinished(() => asked.mockRestore())
  const { html } = (await import(await write('server.mjs', await build(name, 'http://127.0.0.1:1/', 'server')))) as {
    html(): Promise<string>
  }
  expect(await html()).toMatch(/class="connecting[^]*…/)
  await new Promise(setImmediate)
  expect(asked.mock.calls).toEqual([])
})

/** Bundles the code of a page, with the stream at `url`. */
async function build(name: string, url: string, side: Side): Promise<string> {
  const { main, server, options } = FRAMEWORKS[name]!
  const files = fences(`docs/frontends/${name}.md`, 'ts', 'tsx', 'vue', 'svelte').map(({ code }) =>
    code.replaceAll(`'/events'`, `'${url}'`),
  )
  const entry = await write('main.ts', side === 'client' ? main : server, [MARKET, ...files])
  const external = ['react', 'react-dom', 'svelte', 'vue', 'zod'].flatMap((it) => [it, `${it}/*`])
  return bundle(entry, { ...options?.(side), ...(side === 'server' && { platform: 'node', conditions: [], external }) })
}

/** Writes a file into a folder of its own in the project, and those beside it that name themselves in their first line. */
async function write(name: string, text: string, others: readonly string[] = []): Promise<string> {
  const folder = await mkdtemp(join(ROOT, '.page-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  for (const other of others) {
    const [, itself] = /^(?:\/\/|<!--) ([\w-]+\.\w+)/.exec(other) ?? []
    if (itself) await writeFile(join(folder, itself), other)
  }
  await writeFile(join(folder, name), text)
  return join(folder, name)
}

/** Has the files that match compiled. */
function loads(filter: RegExp, compile: (source: string, filename: string) => OnLoadResult): Plugin {
  return {
    name: String(filter),
    setup: ({ onLoad }) =>
      onLoad({ filter }, async ({ path }) => ({ resolveDir: dirname(path), ...compile(await readFile(path, 'utf8'), path) })),
  }
}
