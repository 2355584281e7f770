import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { ROOT } from '../support/docs.ts'

const execute = promisify(execFile)

/** A test of jest, for CommonJS and for ESM. It uses a clock of ours, and then that of jest. */
const TESTS = `
const market = defineEvents({ message: text() })

async function outage(pass) {
  const server = createTestServer(market)
  const stream = server.subscribe()
  const heard = record(stream)
  await server.settled()
  server.offline()
  await server.emitter.emit('message', 'you were away')
  await server.settled()
  await pass(10 * 60_000)
  server.restore()
  await pass(60_000)
  await server.settled()
  expect(stream.status.state).toBe('open')
  expect(heard.events).toMatchObject([{ data: 'you were away' }])
  expect(heard.gaps).toEqual([])
  await server.close()
}

test('with our clock', async () => {
  const clock = installClock()
  try {
    await outage(clock.advance)
  } finally {
    clock.uninstall()
  }
})

test('with the clock of jest', async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'queueMicrotask', 'setImmediate'] })
  expect(() => installClock()).toThrow(/fake timers/)
  await outage(jest.advanceTimersByTimeAsync)
  jest.useRealTimers()
})
`

const FILES = {
  'outage.test.cjs': `
const { defineEvents, text } = require('eventwire')
const { createTestServer, installClock, record } = require('eventwire/testing')
${TESTS}`,
  'outage.test.mjs': `
import { expect, jest, test } from '@jest/globals'
import { defineEvents, text } from 'eventwire'
import { createTestServer, installClock, record } from 'eventwire/testing'
${TESTS}`,
}

test.each(Object.keys(FILES))('%s passes under jest', async (name) => {
  const folder = await mkdtemp(join(ROOT, '.page-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, name), FILES[name as keyof typeof FILES])
  await writeFile(
    join(folder, 'jest.config.json'),
    JSON.stringify({ rootDir: '.', testMatch: [`**/${name}`], moduleFileExtensions: ['js', 'cjs', 'mjs'], transform: {} }),
  )
  // A jest within vitest is to know nothing of it.
  const { VITEST: _vitest, NODE_ENV: _env, NODE_OPTIONS: _options, ...env } = process.env
  const program = join(ROOT, 'node_modules/jest/bin/jest.js')
  // Only for tests that are ES modules themselves.
  const flags = name.endsWith('.mjs') ? ['--experimental-vm-modules'] : []
  const args = [...flags, program, '--config', join(folder, 'jest.config.json'), '--runInBand', '--no-cache']
  const { stderr } = await execute(process.execPath, args, { cwd: folder, env, timeout: 25_000 })
  expect(stderr).toMatch(/^Tests: +2 passed, 2 total$/m)
})
