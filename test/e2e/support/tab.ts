import { join } from 'node:path'
import type { BrowserContext, CDPSession, Page } from 'playwright-core'
import { onTestFinished } from 'vitest'
import type { EmitterOptions } from 'eventwire/server'
import { bundle } from '../../support/bundle.ts'
import { ROOT } from '../../support/docs.ts'
import { serveEmitter, type ServedEmitter } from '../../support/emitter.ts'
import type { Market } from '../../support/market.ts'
import type { Doing, Note } from './life.ts'

/** A tab with the page of `life.ts`. */
export interface Tab {
  readonly page: Page
  /** Speaks to the browser about it. */
  readonly devtools: CDPSession
  /** What has happened in it, over all its pages of this server. */
  notes(what?: Note['what']): Promise<Note[]>
  /** The messages that it has handled, or begun to. */
  messages(): Promise<string[]>
  /** Waits until what has these details was noted so many times. Gives the last of them. */
  noted(details: Partial<Note>, times?: number): Promise<Note>
}

export interface Site extends ServedEmitter {
  /** An address of it: of the page that does this, or, without, of one that does nothing. */
  address(doing?: Doing): string
  /** Opens a tab, in front of the others. */
  open(doing?: Doing): Promise<Tab>
}

let script: Promise<string> | undefined

/** An emitter, and the pages that subscribe to it beside it. Tabs are closed with the test. */
export async function serveSite(context: BrowserContext, options: EmitterOptions<Market> = {}): Promise<Site> {
  script ??= bundle(join(ROOT, 'test/e2e/support/life.ts'))
  const source = await script
  const served = await serveEmitter(options, ({ url }, response) => {
    const isScript = url?.startsWith('/page.js')
    response
      .setHeader('content-type', `${isScript ? 'text/javascript' : 'text/html'}; charset=utf-8`)
      .end(isScript ? source : '<!doctype html><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>')
  })
  const address = (doing?: Doing): string => new URL(doing ? `/?${encodeURIComponent(JSON.stringify(doing))}` : '/', served.url).href
  return { ...served, address, open: (doing) => openTab(context, address(doing)) }
}

async function openTab(context: BrowserContext, url: string): Promise<Tab> {
  const page = await context.newPage()
  const faults: string[] = []
  onTestFinished(async () => {
    await page.close()
    if (faults.length > 0) throw new Error(`The page complains:\n${faults.join('\n')}`)
  })
  page.on('pageerror', (error) => faults.push(String(error)))
  const devtools = await context.newCDPSession(page)
  await page.goto(url)
  const notes = async (what?: Note['what']): Promise<Note[]> => {
    const all = await page.evaluate(() => window.life.notes)
    return all.filter((note) => what === undefined || note.what === what)
  }
  return {
    page,
    devtools,
    notes,
    messages: async () => (await notes('message')).map(({ text }) => text!),
    noted: (details, times = 1) => page.evaluate(([it, count]) => window.life.noted(it, count), [details, times] as const),
  }
}
