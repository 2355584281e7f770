import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import { missingChromium, openPage } from '../support/chromium.ts'
import { readyDemo, startDemo } from '../examples/support.ts'
import { listen } from '../support/listen.ts'
import { serve } from '../support/serve.ts'

const post = (url: string, body: BodyInit, headers: Record<string, string> = { 'content-type': 'application/json' }): Promise<Response> =>
  fetch(`${url}/send-event`, { method: 'POST', body, headers })

test('streams real numbers of the machine, with ids, and what is posted to it, to everyone', async () => {
  const { url } = await readyDemo()
  const streams = [await listen(`${url}/events`), await listen(`${url}/events`)]
  const posted = await post(url, JSON.stringify({ message: 'hello ü\nworld' }))
  expect(posted.status).toBe(202)
  for (const stream of streams) {
    await stream.until(
      ({ events }) => events.some(({ event }) => event === 'message') && events.filter(({ event }) => event === 'metrics').length >= 2,
    )
    expect(stream.text).toMatch(/^id: [0-9a-z]+-\d+\ndata: hello ü\ndata: world\n\n/m)
    const samples = stream.events.filter(({ event }) => event === 'metrics').map(({ data }) => JSON.parse(data))
    expect(samples[1].n).toBe(samples[0].n + 1)
    expect(samples[0].memory.total).toBeGreaterThan(2 ** 20)
  }
})

test('refuses what is no message, says why, and lives on', async () => {
  const { url } = await readyDemo()
  const json = { 'content-type': 'application/json' }
  const cases: [number, () => Promise<Response>][] = [
    [400, () => post(url, '{"message":')],
    [400, () => post(url, '')],
    [415, () => post(url, 'message=hello', { 'content-type': 'application/x-www-form-urlencoded' })],
    [415, () => post(url, '{"message":"hello"}', { 'content-type': 'text/plain' })],
    [422, () => post(url, '{}')],
    [422, () => post(url, '[]')],
    [422, () => post(url, 'null')],
    [422, () => post(url, '{"message":7}')],
    [422, () => post(url, '{"message":""}')],
    [422, () => post(url, '{"message":"\\ud83d"}')],
    [413, () => post(url, JSON.stringify({ message: 'x'.repeat(20_000) }))],
    [
      413,
      () =>
        post(url, JSON.stringify({ message: 'x'.repeat(20 << 20) })).catch(
          () => new Response(null, { status: 413, headers: { 'content-type': 'application/problem+json' } }),
        ),
    ],
    [405, () => fetch(`${url}/send-event`)],
    [405, () => fetch(`${url}/send-event`, { method: 'DELETE', headers: json })],
    [404, () => fetch(`${url}/nowhere`)],
    [404, () => fetch(`${url}/__proto__`)],
    [404, () => fetch(`${url}/constructor`)],
  ]
  for (const [status, send] of cases) {
    const response = await send()
    expect([response.status, response.headers.get('content-type')]).toEqual([status, expect.stringMatching(/^application\/problem\+json/)])
    if (status === 405) expect(response.headers.get('allow')).toBe('POST')
  }
  expect((await post(url, '{"message":"still here"}', { 'content-type': 'Application/JSON; charset=utf-8' })).status).toBe(202)
})

test('says so when its port is taken, or is none', async () => {
  const { port } = await serve(() => {})
  const taken = await startDemo({ port })
  expect(await taken.exited).toBe(1)
  expect(taken.output()).toMatch(new RegExp(`^[^\\n]*${port}[^\\n]*\\n$`))
  const bad = await startDemo({ port: 'eighty' })
  expect(await bad.exited).toBe(1)
  expect(bad.output()).toContain('eighty')
})

test('stops at once when it is interrupted, with streams open', async () => {
  const demo = await readyDemo()
  const stream = await listen(`${demo.url}/events`)
  await stream.until(({ cursor }) => cursor !== '')
  demo.interrupt()
  expect(await demo.exited).toBe(0)
  await stream.ended
})

const number = (page: Page, name: string): Promise<number> =>
  page
    .locator(`[data-test=${name}]`)
    .textContent()
    .then((text) => Number(text!.replaceAll(/\D/g, '')))
const reach = (page: Page, name: string, least: number): Promise<unknown> =>
  page.waitForFunction(
    ([selector, count]) => Number(document.querySelector(selector as string)!.textContent.replaceAll(/\D/g, '')) >= (count as number),
    [`[data-test=${name}]`, least],
  )
const state = (page: Page, name: string): Promise<unknown> =>
  page.waitForFunction((wanted) => document.documentElement.dataset['state'] === wanted, name)

test.skipIf(missingChromium)('the page receives, is cut, and resumes without loss', async () => {
  const { url } = await readyDemo()
  const faults: string[] = []
  const page = await openPage(url, faults)
  await state(page, 'open')
  await reach(page, 'received', 3)
  await page.click('[data-test=cut]')
  await state(page, 'connecting')
  await post(url, '{"message":"sent while it was cut"}')
  await state(page, 'resumed')
  await page.waitForFunction(() => document.querySelector('[data-test=messages]')!.textContent.includes('sent while it was cut'))
  await reach(page, 'replayed', 2)
  expect(await number(page, 'lost')).toBe(0)
  expect(await number(page, 'gaps')).toBe(0)
  expect(await number(page, 'undeclared')).toBe(0)
  expect(await page.locator('[data-test=cursor]').textContent()).toMatch(/[0-9a-z]+-\d+/)
  // Chromium notes the cut itself, and the refusals while it lasts.
  expect(faults.filter((fault) => !/ERR_|503/.test(fault))).toEqual([])
})

test.skipIf(missingChromium)('the page hears of a gap when the log restarts, and counts what was lost with it', async () => {
  const { url } = await readyDemo()
  const page = await openPage(url)
  await state(page, 'open')
  await page.click('[data-test=restart]')
  await reach(page, 'gaps', 1)
  expect(await number(page, 'lost')).toBe(0)
  const received = await number(page, 'received')
  await reach(page, 'received', received + 2)

  await page.click('[data-test=cut]')
  await state(page, 'connecting')
  const witness = await listen(`${url}/events`)
  await witness.until(({ events }) => events.length >= 3)
  await fetch(`${url}/restart-log`, { method: 'POST' })
  await state(page, 'open')
  await reach(page, 'gaps', 2)
  await reach(page, 'lost', 2)
  expect(await number(page, 'undeclared')).toBe(0)
})

test.skipIf(missingChromium)('a message that is typed on one page shows on another', async () => {
  const { url } = await readyDemo()
  const [one, two] = [await openPage(url), await openPage(url)]
  await Promise.all([state(one, 'open'), state(two, 'open')])
  await one.fill('form[data-test=send] input', 'from page one <b>')
  await one.press('form[data-test=send] input', 'Enter')
  for (const page of [one, two]) {
    await page.waitForFunction(() => document.querySelector('[data-test=messages]')!.textContent.includes('from page one <b>'))
  }
})
