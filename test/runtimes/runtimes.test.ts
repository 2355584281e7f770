import { beforeAll, expect, test } from 'vitest'
import { chromium } from './engines/chromium.ts'
import { commands } from './engines/commands.ts'
import type { Place } from './engines/engine.ts'
import { firefox } from './engines/firefox.ts'
import { webkit } from './engines/webkit.ts'
import { workerd } from './engines/workerd.ts'
import { makeProject } from './project.ts'
import { startServers } from './server.ts'

let place: Place

beforeAll(async () => {
  const project = await makeProject()
  const servers = await startServers(project.page)
  place = { ...servers, project }
  return async () => {
    await servers.close()
    await project.remove()
  }
})

for (const { name, missing, run } of [...commands, workerd, chromium, firefox, webkit]) {
  test.skipIf(missing)(`the same suite passes in ${name}${missing ? `: ${missing}` : ''}`, { timeout: 150_000 }, async () => {
    const results = await run(place)
    expect(results.filter(({ ok }) => !ok).map((failed) => `${failed.name}: ${failed.error}`)).toEqual([])
    expect(results.length).toBeGreaterThan(25)
  })
}
