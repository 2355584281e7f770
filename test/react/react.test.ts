import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { expect, onTestFinished, test, vi } from 'vitest'
import { useSubscriber } from 'eventwire/react'
import type { EmitterOptions } from 'eventwire/server'
import { bundle, servePage } from '../support/bundle.ts'
import { missingChromium, openPage } from '../support/chromium.ts'
import { ROOT } from '../support/docs.ts'
import { serveEmitter, type ServedEmitter } from '../support/emitter.ts'
import { market, price, type Market } from '../support/market.ts'
import { serve } from '../support/serve.ts'
import { collector } from '../support/subscribe.ts'
import { App, type View } from './app.tsx'

interface Opened extends ServedEmitter {
  readonly page: Page
  /** What React and the page complain of. */
  readonly faults: string[]
  /** How many connections have been made. */
  made(): number
  show(view: View): Promise<void>
  /** What the components have noted that begins so. */
  notes(start: string): Promise<string[]>
  /** Waits until all of these are noted. */
  noted(...lines: string[]): Promise<void>
  /** Lets the timers of the page go off that are due in this time. */
  pass(ms: number): Promise<void>
}

const browser = test.skipIf(missingChromium)
let script: Promise<string> | undefined

/** An emitter, and a page beside it that shows nothing yet. */
async function open(options: EmitterOptions<Market> = {}, main?: (url: string) => string): Promise<Opened> {
  let made = 0
  const served = await serveEmitter({
    cors: { origins: '*', headers: ['x-tag'] },
    ...options,
    onConnect: () => void made++,
  })
  script ??= bundle(join(ROOT, 'test/react/app.tsx'))
  const faults: string[] = []
  const page = await openPage(await servePage(await script, main?.(served.url)), faults)
  await page.clock.install()
  return {
    ...served,
    page,
    faults,
    made: () => made,
    show: (view) => page.evaluate((it) => window.app.show(it), view),
    notes: (start) => page.evaluate((it) => window.app.notes.filter((note) => note.startsWith(it)), start),
    noted: async (...lines) => {
      await page.waitForFunction((them) => them.every((line) => window.app.notes.includes(line)), lines)
    },
    pass: (ms) => page.clock.fastForward(ms),
  }
}

browser('twenty components are on one connection, under StrictMode too, and each hears every event', async () => {
  const { url, emitter, connected, faults, made, show, noted, notes } = await open()
  const names = Array.from({ length: 20 }, (_, i) => `${i}`)
  await show({ url, names })
  await connected(1)
  for (const usd of [1, 2, 3]) await emitter.emit('price', price(usd))
  await noted(...names.map((name) => `${name} heard 3`), ...names.map((name) => `${name} rendered 3 none`))
  for (const name of names) expect(await notes(`${name} heard`)).toEqual([1, 2, 3].map((usd) => `${name} heard ${usd}`))
  expect([made(), faults]).toEqual([1, []])
})

browser('the connection is closed after the last component has left, and not before', async () => {
  const { url, emitter, connected, faults, made, show, noted, notes, pass } = await open()
  await show({ url, names: ['one', 'two'] })
  await connected(1)
  await show({ url, names: ['two'] })
  await pass(10_000)
  await emitter.emit('price', price(1))
  await noted('two heard 1')
  expect([made(), await notes('one heard')]).toEqual([1, []])
  await show({ url, names: [] })
  await connected(0)
  expect(faults).toEqual([])
})

browser('a component that only has the stream keeps it for those that come and go, and does not open it', async () => {
  const { url, emitter, connected, connections, made, show, noted, pass } = await open()
  await show({ url, names: [], idle: true })
  await pass(10_000)
  expect(connections.size).toBe(0)
  await show({ url, names: ['one'], idle: true })
  await connected(1)
  await show({ url, names: [], idle: true })
  await pass(10_000)
  await show({ url, names: ['two'], idle: true })
  await emitter.emit('price', price(1))
  await noted('two heard 1')
  expect(made()).toBe(1)
  await show({ url, names: [] })
  await pass(1_000)
  await connected(0)
})

browser('navigation from one page to the next keeps the connection, and the latest event', async () => {
  const { url, emitter, connected, made, show, noted, notes, pass } = await open()
  await show({ url, names: ['home'] })
  await connected(1)
  await emitter.emit('price', price(1))
  await noted('home rendered 1 none')
  await show({ url, names: ['about'] })
  await noted('about rendered 1 none')
  await pass(10_000)
  await emitter.emit('price', price(2))
  await noted('about heard 2')
  expect([made(), await notes('about rendered undefined')]).toEqual([1, []])
})

browser('a page that takes a moment to come still finds the connection open', async () => {
  const { url, emitter, connected, made, show, noted, pass } = await open()
  await show({ url, names: ['home'] })
  await connected(1)
  await show({ url, names: [] })
  await pass(500)
  await show({ url, names: ['about'] })
  await pass(10_000)
  await emitter.emit('price', price(1))
  await noted('about heard 1')
  expect(made()).toBe(1)
})

browser('what is hidden lets go of the connection, and what is shown again makes another', async () => {
  const { url, emitter, connected, faults, made, show, noted, pass } = await open()
  await show({ url })
  await connected(1)
  await show({ url, hidden: true })
  await pass(1_000)
  await connected(0)
  await show({ url })
  await connected(1)
  await emitter.emit('price', price(1))
  await noted('one heard 1', 'one rendered 1 none')
  expect([made(), faults]).toEqual([2, []])
})

browser('another url is another stream: the component moves to it, and forgets what the old one said', async () => {
  const { url, emitter, connections, connected, made, show, noted, notes, pass } = await open()
  await show({ url: `${url}?topic=a`, strict: false })
  await connected(1)
  await emitter.emit('price', price(1), { topic: 'a' })
  await noted('one rendered 1 none')
  await show({ url: `${url}?topic=b`, strict: false })
  await connected(2)
  await emitter.emit('price', price(2), { topic: 'a' })
  await emitter.emit('price', price(3), { topic: 'b' })
  await noted('one rendered 3 none')
  await pass(1_000)
  await connected(1)
  expect([...connections].map(({ topics }) => topics)).toEqual([['b']])
  expect(await notes('one heard')).toEqual(['one heard 1', 'one heard 3'])
  expect((await notes('one rendered')).slice(-2)).toEqual(['one rendered undefined none', 'one rendered 3 none'])
  expect(made()).toBe(2)
})

browser('another key is another stream', async () => {
  const { url, connected, show, pass } = await open()
  await show({ url, group: 'a' })
  await connected(1)
  await show({ url, group: 'b' })
  await connected(2)
  await pass(1_000)
  await connected(1)
})

browser('without a url nothing is asked for', async () => {
  const { url, page, connected, faults, show, noted, pass } = await open()
  const asked: string[] = []
  page.on('request', (request) => asked.push(request.url()))
  await show({ url: null })
  await noted('one is connecting', 'one rendered undefined none')
  expect(asked).toEqual([])
  await show({ url })
  await connected(1)
  await show({ url: null })
  await pass(1_000)
  await connected(0)
  expect(faults).toEqual([])
})

browser('a render that never came to its end has opened nothing', async () => {
  const { url, page, show } = await open()
  const asked: string[] = []
  page.on('request', (request) => asked.push(request.url()))
  await show({ url, names: [], suspended: true })
  await page.getByText('waiting').waitFor()
  await show({ url, names: [] })
  await page.getByText('waiting').waitFor({ state: 'detached' })
  expect(asked).toEqual([])
})

browser('a component renders again only when what it shows has changed', async () => {
  const { url, emitter, show, noted, notes } = await open()
  await show({ url, strict: false })
  await noted('one is open')
  const before = (await notes('one rendered')).length
  const rendered = async (): Promise<string[]> => (await notes('one rendered')).slice(before)
  await emitter.emit('message', 'x')
  await noted('one rendered undefined x')
  await emitter.emit('message', 'x')
  await emitter.emit('halted', { symbol: 'BTC', reason: 'nobody listens' })
  await emitter.emit('message', 'y')
  await noted('one rendered undefined y')
  expect(await rendered()).toEqual(['one rendered undefined x', 'one rendered undefined y'])
  // In one write; what arrives together is rendered together.
  for (let usd = 1; usd <= 200; usd++) void emitter.emit('price', price(usd))
  await noted('one heard 200', 'one rendered 200 y')
  expect((await rendered()).length).toBeLessThan(50)
  expect(await notes('one heard')).toHaveLength(200)
})

browser('an event reaches the handler of the latest render', async () => {
  const { url, emitter, connected, made, show, noted } = await open()
  await show({ url })
  await connected(1)
  await show({ url, tag: '!' })
  await emitter.emit('price', price(1))
  await noted('one heard 1!')
  await show({ url, tag: '?' })
  await emitter.emit('price', price(2))
  await noted('one heard 2?')
  expect(made()).toBe(1)
})

browser('the status is told through a cut, and the next attempt has the headers of the latest render', async () => {
  const tags: (string | null)[] = []
  const { url, emitter, connected, cut, show, noted, notes } = await open({
    connect: ({ headers }) => void tags.push(headers.get('x-tag')),
  })
  await show({ url, strict: false, tag: 'a' })
  await noted('one is open')
  await show({ url, strict: false, tag: 'b' })
  cut()
  await connected(0)
  await emitter.emit('price', price(1))
  await noted('one heard 1b')
  const told = await notes('one is')
  expect(told.filter((it, i) => it !== told[i - 1])).toEqual(['one is connecting', 'one is open', 'one is connecting', 'one is open'])
  expect(tags).toEqual(['a', 'b'])
})

browser('a component that comes while others look at a fatal fault shares it; when all have left the next one tries again', async () => {
  const { show, noted } = await open()
  const asked = collector<string>()
  const { url } = await serve(({ method = '' }, response) => {
    if (method === 'GET') asked.take(method)
    response.writeHead(method === 'GET' ? 404 : 204, { 'access-control-allow-origin': '*', 'access-control-allow-headers': '*' }).end()
  })
  await show({ url, names: ['one'] })
  await noted('one is fatal')
  await show({ url, names: ['one', 'two'] })
  await noted('two is fatal')
  expect(asked.items).toHaveLength(1)
  await show({ url, names: ['three'] })
  await asked.reach(2)
})

test('on the server nothing is opened, and no timer is started', async () => {
  const { url, connections } = await serveEmitter()
  const asked = vi.spyOn(globalThis, 'fetch')
  onTestFinished(() => asked.mockRestore())
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  expect(renderToString(createElement(App, { url, names: ['one', 'two'] }))).toContain('connecting')
  expect([vi.getTimerCount(), connections.size, asked.mock.calls]).toEqual([0, 0, []])
})

test('a contract that is undefined, as in a circle of imports, is refused in words', () => {
  const Circular = (): null => {
    useSubscriber(undefined as unknown as Market, '/events')
    return null
  }
  expect(() => renderToString(createElement(Circular))).toThrow('useSubscriber: its first argument is no contract')
  const Odd = (): null => {
    useSubscriber(market, new URL('http://127.0.0.1/') as unknown as string)
    return null
  }
  expect(() => renderToString(createElement(Odd))).toThrow('useSubscriber: the url is object')
})

browser('what the server has rendered is taken over without complaint, and goes on live', async () => {
  const main = (url: string): string => {
    const view: View = { url, names: ['one', 'two'] }
    const html = renderToString(createElement(App, view))
    return `<main data-view="${JSON.stringify(view).replaceAll('"', '&quot;')}">${html}</main>`
  }
  const { page, emitter, connected, faults, made, notes, noted } = await open({}, main)
  await connected(1)
  await emitter.emit('price', price(1))
  await noted('one rendered 1 none', 'two rendered 1 none')
  expect(await page.getByText('one 1 none open').count()).toBe(1)
  expect([made(), faults, await notes('recovered')]).toEqual([1, [], []])
})
