import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { promisify } from 'node:util'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { createEmitter, type Emitter, type Log } from 'eventwire/server'
import { testLog } from 'eventwire/testing'
import { blocks, ROOT } from '../support/docs.ts'
import { listen } from '../support/listen.ts'
import { market, price, type Market } from '../support/market.ts'
import { serve } from '../support/serve.ts'

const PAGE = 'docs/custom-logs.md'

/** The files that the page names, in a folder of the project, so that the package finds itself by its name. */
const folder = await mkdtemp(join(ROOT, '.page-'))
afterAll(() => rm(folder, { recursive: true }))
const FILES = ['sqlite-log.ts', 'sqlite-log.test.ts']
for (const file of FILES)
  await writeFile(
    join(folder, file),
    blocks(PAGE).find((code) => code.startsWith(`// ${file}\n`))!,
  )
const { SqliteLog } = (await import(join(folder, 'sqlite-log.ts'))) as { SqliteLog: new (db: DatabaseSync, events: number) => Log }

describe.each([1, 20, 10_000])('the log that docs/custom-logs.md shows, of %i events', (events) => {
  testLog(test, () => new SqliteLog(new DatabaseSync(':memory:'), events), { ...(events < 1_000 && { events }) })
})

test('with the log that docs/custom-logs.md shows, a client resumes over a restart', async () => {
  const file = join(folder, 'events.db')
  const start = async (): Promise<{ emitter: Emitter<Market>; url: string; stop(): Promise<void> }> => {
    const db = new DatabaseSync(file)
    const emitter = createEmitter(market, { log: new SqliteLog(db, 100) })
    const { url } = await serve((req, res) => emitter.handleNode(req, res))
    const stop = async (): Promise<void> => {
      await emitter.close()
      db.close()
    }
    return { emitter, url, stop }
  }
  const first = await start()
  const seen = await first.emitter.emit('price', price(1))
  await first.emitter.emit('price', price(2))
  await first.stop()

  const second = await start()
  onTestFinished(() => second.stop())
  const stream = await listen(second.url, { 'last-event-id': seen })
  await second.emitter.emit('price', price(3))
  await stream.until(({ events }) => events.length === 2)
  expect(stream.ready).toMatchObject({ resumed: true, replayed: 1 })
  expect(stream.events.map(({ data }) => data)).toEqual([JSON.stringify(price(2)), JSON.stringify(price(3))])
  expect(stream.gaps).toEqual([])
})

test("the tests run with node's own runner, as docs/custom-logs.md has it", async () => {
  if (!existsSync(join(ROOT, 'dist/testing.js'))) throw new Error('dist/testing.js is missing: run `npm run build` first.')
  const { NODE_OPTIONS: _, ...env } = process.env
  const args = ['--test', '--test-reporter=tap', 'sqlite-log.test.ts']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder, env, timeout: 20_000 })
  expect(stdout).toMatch(/^# fail 0$/m)
  expect(Number(/^# pass (\d+)$/m.exec(stdout)?.[1])).toBeGreaterThan(20)
})
