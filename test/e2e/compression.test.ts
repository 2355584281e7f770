import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missingChromium, openPage } from '../support/chromium.ts'
import { serveEmitter } from '../support/emitter.ts'
import { missingNginx, startNginx } from '../support/nginx.ts'
import { listenZipped } from '../support/zipped.ts'
import { serveSite } from './support/tab.ts'
import { openWindow, type BrowserWindow } from './support/window.ts'

const SHARED = { compression: 'shared', retry: 100 } as const

/** Texts of one event each; some repeat what went before, some are large. */
const TEXTS = Array.from({ length: 60 }, (_, i) => `event ${i} ${'abcdefgh'.repeat(i % 10 === 9 ? 10_000 : i)}`)

/** The coding of the next stream that a page is answered with. */
async function codingOf(page: Page): Promise<string | undefined> {
  const response = await page.waitForResponse('**/events')
  return response.headers()['content-encoding']
}

describe.skipIf(missingChromium)('in Chromium', () => {
  let browser: BrowserWindow

  beforeAll(async () => {
    browser = await openWindow()
  })
  afterAll(() => browser.close())

  test('a subscriber of a page reads each event of a compressed stream as it comes, and resumes after its end', async () => {
    const { emitter, connections, open } = await serveSite(browser.context, SHARED)
    const tab = await open()
    const coding = codingOf(tab.page)
    await tab.page.evaluate(() => window.life.open({}))
    expect(await coding).toBe('gzip')
    await tab.noted({ what: 'status', text: 'open', resumed: false })
    for (const [i, text] of TEXTS.entries()) {
      void emitter.emit('message', text)
      await tab.noted({ what: 'message', text })
      if (i % 20 === 10) for (const connection of connections) connection.close()
    }
    expect(await tab.messages()).toEqual(TEXTS)
    expect([await tab.notes('gap'), await tab.notes('error')]).toEqual([[], []])
  })

  test('so does a plain EventSource', async () => {
    const { emitter, connections, connected, url } = await serveEmitter(SHARED, (_request, response) => {
      response.setHeader('content-type', 'text/html').end('<!doctype html><link rel="icon" href="data:,">')
    })
    const page = await openPage(new URL('/', url).href)
    const coding = codingOf(page)
    await page.evaluate('heard = []; source = new EventSource("/events"); source.onmessage = ({ data }) => heard.push(data); undefined')
    expect(await coding).toBe('gzip')
    await connected(1)
    for (const [i, text] of TEXTS.entries()) {
      void emitter.emit('message', text)
      await page.waitForFunction(`heard.length > ${i}`)
      if (i % 20 === 10) for (const connection of connections) connection.close()
    }
    expect(await page.evaluate('heard')).toEqual(TEXTS)
    await page.evaluate('source.close()')
  })
})

describe.skipIf(missingNginx).each(
  Object.entries({
    'as it comes': '',
    'with HTTP/1.1 to the server': 'proxy_http_version 1.1;',
    'with compression of everything': 'proxy_http_version 1.1; gzip on; gzip_types *; gzip_min_length 0; gzip_vary on;',
  }),
)('behind nginx %s', (_name, directives) => {
  test('the bytes of a compressed stream arrive as they were sent, each event before the next is emitted', async () => {
    const { port, url: direct, emitter } = await serveEmitter(SHARED)
    const { url } = await startNginx(port, directives)
    const [behind, beside] = [await listenZipped(url), await listenZipped(direct)]
    expect(behind.headers).toMatchObject({ 'content-encoding': 'gzip', vary: expect.stringMatching(/accept-encoding/i) as string })
    for (const stream of [behind, beside]) await stream.until(({ cursor }) => cursor !== '')
    for (const [i, text] of TEXTS.entries()) {
      void emitter.emit('message', text)
      for (const stream of [behind, beside]) await stream.until(({ events }) => events.length === i + 1)
    }
    expect(behind.body.equals(beside.body)).toBe(true)
    await emitter.close()
    await behind.ended
    expect(behind.whole()).toBe(behind.text)
  })
})

test.skipIf(missingNginx)('a proxy that keeps what clients accept to itself turns compression off behind it', async () => {
  const { port, emitter } = await serveEmitter(SHARED)
  const { url } = await startNginx(port, 'proxy_set_header Accept-Encoding "";')
  const response = await fetch(url)
  expect(response.headers.get('content-encoding')).toBe(null)
  await emitter.emit('message', 'hello')
  await emitter.close()
  expect(await response.text()).toContain('$ready')
})
