import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createSubscriber } from 'eventwire/client'
import { CURL, NGINX } from '../../scripts/programs.ts'
import { events, STATES } from '../../examples/status/events.ts'
import { missingChromium, openPage } from '../support/chromium.ts'
import { listen } from '../support/listen.ts'
import { missingNginx, startNginx } from '../support/nginx.ts'
import { freePort } from '../support/port.ts'
import { missing, pathOf } from '../support/program.ts'
import { spawned } from '../support/spawned.ts'
import { collector } from '../support/subscribe.ts'
import { readyExample } from './support.ts'

/** Starts the example, with a time between two polls, in ms. */
const ready = (interval = 400) => readyExample('status', { env: { INTERVAL: String(interval) } })

/** Time between two polls where there is to be one alone, in ms. */
const LONG = 60_000

/** The states that a subscriber hears, and the requests that it makes. */
function follow(url: string) {
  const states = collector<string>()
  let requests = 0
  const stream = createSubscriber(events, url, {
    backoff: { base: 1, max: 1 },
    onTrace: ({ type }) => void (requests += type === 'request' ? 1 : 0),
  })
  onTestFinished(() => stream.close())
  stream.on('status', states.take)
  return { stream, states, requests: () => requests }
}

/** The example's own nginx.conf, with other ports. Gives the address, once it answers. */
async function startExamplesNginx(upstream: number): Promise<string> {
  const conf = await readFile(fileURLToPath(new URL('../../examples/status/nginx.conf', import.meta.url)), 'utf8')
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'eventwire-status-'))
  await writeFile(
    join(folder, 'nginx.conf'),
    conf.replace('127.0.0.1:8080', `127.0.0.1:${port}`).replace('127.0.0.1:3000', `127.0.0.1:${upstream}`),
  )
  onTestFinished(() => rm(folder, { recursive: true }))
  const args = ['-e', 'stderr', '-p', folder, '-c', 'nginx.conf', '-g', 'error_log stderr notice;']
  await spawned(pathOf(NGINX), args, { ending: 'SIGTERM' }).until('start worker process ')
  return `http://127.0.0.1:${port}/events`
}

test('the states come one by one, the stream ends with Done, and the client does not come back', async () => {
  const example = await ready()
  const { stream, states, requests } = follow(`${example.url}/events`)
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect([states.items, requests()]).toEqual([STATES.slice(0, -1), 1])
  await example.printed('client 1: polling stops at Done')
})

test('polling stops when the client leaves', async () => {
  const example = await ready(LONG)
  const one = await listen(`${example.url}/events`)
  await one.until(() => one.events.length === 1)
  one.leave()
  await example.printed('client 1: polling stops at Queued')
})

test('a client that was cut goes on where it was', async () => {
  const example = await ready()
  const one = await listen(`${example.url}/events`, { 'last-event-id': 'Testing' })
  await one.ended
  expect(one.events.map(({ data }) => data)).toEqual(['Deploying', 'Done'])
  await example.printed('client 1: polling again, after Testing')
})

test.skipIf(missing(CURL))('curl sees the stream end', async () => {
  const { url } = await ready()
  const { stdout } = await promisify(execFile)(pathOf(CURL), ['-sN', `${url}/events`])
  expect(stdout).toMatch(/\n\nid: Done\nevent: status\ndata: Done\n\nevent: \$end\ndata: .*\n\n$/)
})

test.skipIf(missingChromium)('a plain EventSource hears Done, and gives up when it is told to', async () => {
  const { url } = await ready(10)
  const page = await openPage(`${url}/style.css`)
  const heard = await page.evaluate(
    () =>
      new Promise((resolve) => {
        const states: string[] = []
        const source = new EventSource('/events')
        source.addEventListener('status', ({ data }) => states.push(data))
        source.addEventListener('error', () => source.readyState === source.CLOSED && resolve(states))
      }),
  )
  expect(heard).toEqual(STATES)
})

test.skipIf(missingChromium)('the page shows each state, and that the stream is complete', async () => {
  const { url } = await ready()
  const faults: string[] = []
  const page = await openPage(url, faults)
  for (const state of STATES) await page.waitForFunction((text) => document.querySelector('#state')?.textContent === text, state)
  await page.waitForSelector('#status[data-state=closed]')
  expect(await page.textContent('#outcome')).toContain('complete')
  expect(faults).toEqual([])
})

describe.skipIf(missingNginx)('behind nginx', () => {
  test('with the configuration of the example a state arrives when it is polled', async () => {
    const example = await ready(LONG)
    const { states } = follow(await startExamplesNginx(example.port))
    expect(await states.reach(1)).toEqual(STATES.slice(0, 1))
    expect(example.output()).not.toContain('polling stops')
  })

  test('and the client sees the end', async () => {
    const example = await ready(10)
    const { stream, states, requests } = follow(await startExamplesNginx(example.port))
    expect(await stream.closed).toEqual({ reason: 'ended' })
    expect([states.items, requests()]).toEqual([STATES.slice(0, -1), 1])
  })

  test('it is the header of the stream that turns buffering off: without it, nothing comes before the end', async () => {
    const example = await ready(LONG)
    const { url } = await startNginx(example.port, 'proxy_ignore_headers X-Accel-Buffering;')
    const { states } = follow(url)
    await example.printed('client 1: polling starts')
    // By the same way, and whole: what was sent before it would be here.
    await (await fetch(new URL('/style.css', url))).text()
    expect(states.items).toEqual([])
    example.interrupt()
    expect(await states.reach(1)).toEqual(STATES.slice(0, 1))
  })
})
