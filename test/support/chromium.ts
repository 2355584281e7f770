import { chromium, type Browser, type Page } from 'playwright-core'
import { onTestFinished } from 'vitest'
import { CHROMIUM } from '../../scripts/programs.ts'
import { missing, pathOf } from './program.ts'

/** What it is started with. */
export const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** Why the browser tests cannot run here; `undefined` when they can. */
export const missingChromium = missing(CHROMIUM)

/** A real Chromium, closed at the end of the test. */
async function launchChromium(): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: pathOf(CHROMIUM), args: FLAGS })
  onTestFinished(() => browser.close())
  return browser
}

/** A page of a new browser, and what went wrong in it: uncaught errors, and errors on its console. */
export async function openPage(url: string, faults: string[] = []): Promise<Page> {
  const page = await (await launchChromium()).newPage()
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') faults.push(message.text())
  })
  await page.goto(url)
  return page
}
