import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { missingChromium, openPage } from '../support/chromium.ts'
import { fences, ROOT } from '../support/docs.ts'
import { freePort } from '../support/port.ts'
import { spawned, type Spawned } from '../support/spawned.ts'

const PAGE = 'docs/guide/install.md'

/** Runs a script of a folder until the end of the test, and resolves when it has written `text`. */
async function start(cwd: string, text: string, ...args: string[]): Promise<Spawned> {
  const script = spawned(process.execPath, args, { cwd })
  await script.until(text)
  return script
}

test.skipIf(missingChromium)(
  'who does what docs/guide/install.md says sees prices in a page, which comes back after the server',
  { timeout: 60_000 },
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'eventwire-install-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    await mkdir(join(folder, 'node_modules'))
    await symlink(ROOT, join(folder, 'node_modules/eventwire'))
    await symlink(join(ROOT, 'node_modules/zod'), join(folder, 'node_modules/zod'))
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
    const port = await freePort()
    for (const { code } of fences(PAGE, 'ts', 'html')) {
      const [, name] = /^(?:\/\/|<!--) ([\w.-]+)/.exec(code) ?? []
      if (name) await writeFile(join(folder, name), code.replaceAll('3000', String(port)))
    }

    const server = await start(folder, '/events', 'server.ts')
    const site = await freePort()
    await start(folder, 'Local', join(ROOT, 'node_modules/vite/bin/vite.js'), '--port', String(site), '--strictPort')
    const page = await openPage(`http://localhost:${site}/`)
    const price = page.locator('#price')
    const status = page.locator('#status')
    await price.filter({ hasText: /BTC \d+/ }).waitFor()
    server.kill()
    await server.exited
    await status.filter({ hasText: 'connecting' }).waitFor()
    await start(folder, '/events', 'server.ts')
    await status.filter({ hasText: 'open' }).waitFor()
    expect(await price.textContent()).toMatch(/^BTC \d+$/)
  },
)
