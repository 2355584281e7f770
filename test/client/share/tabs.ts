import { chromium, type Browser, type BrowserContext, type CDPSession, type Page } from 'playwright-core'
import { onTestFinished } from 'vitest'
import { createEmitter, type Connection, type Emitter, type EmitterOptions } from 'eventwire/server'
import { CHROMIUM } from '../../../scripts/programs.ts'
import { bundle } from '../../support/bundle.ts'
import { market, price, type Market } from '../../support/market.ts'
import { freePort } from '../../support/port.ts'
import { pathOf } from '../../support/program.ts'
import { serve } from '../../support/serve.ts'
import { watch } from '../../support/watch.ts'
import type { Notes, Wish } from './page.ts'

const PAGE = '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>'

/** What keeps a tab from being treated as one that a user has left; here it is to be. */
const SPOILING = [
  '--disable-back-forward-cache',
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
]

/** A browser tab, and the subscriber in it. */
export interface Tab {
  /** Tells its requests apart. */
  readonly name: string
  readonly page: Page
  begin(wish?: Partial<Wish>): Promise<void>
  notes(): Promise<Notes>
  /** Waits until its notes say so. The test is taken there as text. */
  until<T>(test: (notes: Notes, what: T) => boolean, what?: T): Promise<void>
  /** Waits until it has heard this number. */
  hears(usd: number): Promise<void>
  cdp(): Promise<CDPSession>
}

/** A site with a stream, over HTTP/1.1, and a browser that has tabs of it. */
export interface Site {
  readonly origin: string
  readonly emitter: Emitter<Market>
  /** Who has connected, and when. */
  readonly made: { readonly tab: string; readonly at: number; readonly lastEventId: string | undefined }[]
  readonly connections: Set<Connection<Market>>
  /** Waits until `test` holds; looks whenever a connection comes or goes. */
  until(test: () => boolean): Promise<void>
  cut(): void
  /** Opens a tab, in front of the others. */
  open(name: string): Promise<Tab>
  /** Opens tabs whose subscribers share a stream. */
  openAll(names: readonly string[], wish?: Partial<Wish>): Promise<Tab[]>
  /** Publishes the numbers from 1, a hundred a second, until it is stopped. That gives the last. */
  publish(): () => number
}

let script: Promise<string> | undefined

/** What a site answers instead of a stream. */
export interface Refusal {
  readonly status: number
  readonly body?: string
  readonly headers?: Record<string, string>
}

/** Serves a site that a browser has tabs of. It and they are gone at the end of the test. `refuse` is asked at each request for the stream. */
export async function openSite(options: EmitterOptions<Market> = {}, refuse: () => Refusal | undefined = () => undefined): Promise<Site> {
  const { connections, change, until, options: watched } = watch(options)
  const made: Site['made'][number][] = []
  const emitter = createEmitter(market, watched)
  script ??= bundle('test/client/share/page.ts')
  const js = await script
  const { url, cut } = await serve((request, response) => {
    const path = request.url ?? ''
    if (path === '/') return response.setHeader('content-type', 'text/html').end(PAGE)
    if (path === '/page.js') return response.setHeader('content-type', 'text/javascript').end(js)
    if (!path.startsWith('/events')) return response.end('another page')
    const tab = new URLSearchParams(path.split('?')[1]).get('tab') ?? ''
    made.push({ tab, at: performance.now(), lastEventId: request.headers['last-event-id'] as string | undefined })
    const refusal = refuse()
    if (refusal) {
      change()
      return response.writeHead(refusal.status, refusal.headers).end(refusal.body)
    }
    return emitter.handleNode(request, response)
  })
  onTestFinished(() => emitter.close())
  const origin = new URL('/', url).href
  started ??= startBrowser()
  const { context } = await started
  onTestFinished(async () => {
    for (const page of context.pages()) await page.close()
  })
  return {
    origin,
    emitter,
    made,
    connections,
    cut,
    until,
    open: (name) => openTab(context, origin, name),
    async openAll(names, wish = {}) {
      const tabs: Tab[] = []
      for (const name of names) {
        const tab = await openTab(context, origin, name)
        await tab.begin(wish)
        await tab.until(({ statuses }) => statuses.some(({ resumed }) => resumed !== undefined))
        tabs.push(tab)
      }
      return tabs
    },
    publish() {
      let usd = 0
      const timer = setInterval(() => void emitter.emit('price', price(++usd)), 10)
      onTestFinished(() => clearInterval(timer))
      return () => {
        clearInterval(timer)
        return usd
      }
    },
  }
}

interface Started {
  readonly context: BrowserContext
  readonly browsers: readonly Browser[]
}

let started: Promise<Started> | undefined

/** One browser for all tests: each has an origin of its own. The tabs are as a user has them: one in front, the others hidden, and no emulation. */
async function startBrowser(): Promise<Started> {
  const port = await freePort()
  const owner = await chromium.launch({
    executablePath: pathOf(CHROMIUM),
    args: ['--headless', '--no-sandbox', '--disable-gpu', `--remote-debugging-port=${port}`],
    ignoreDefaultArgs: SPOILING,
  })
  const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`, { noDefaults: true })
  return { context: browser.contexts()[0]!, browsers: [browser, owner] }
}

/** For the end of all tests. */
export async function quitBrowser(): Promise<void> {
  for (const browser of (await started)?.browsers ?? []) await browser.close()
}

async function openTab(context: BrowserContext, origin: string, name: string): Promise<Tab> {
  const page = await context.newPage()
  await page.goto(origin)
  const until: Tab['until'] = (test, what) => page.evaluate(`tab.until((notes) => (${String(test)})(notes, ${JSON.stringify(what)}))`)
  return {
    name,
    page,
    until,
    begin: (wish = {}) => page.evaluate((it) => window.tab.begin(it), { url: `/events?tab=${name}`, name: 'market', ...wish }),
    notes: () => page.evaluate(() => window.tab.notes),
    hears: (number) => until(({ usd }, it) => usd.includes(it), number),
    cdp: () => context.newCDPSession(page),
  }
}
