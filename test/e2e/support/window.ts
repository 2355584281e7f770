import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type BrowserContext } from 'playwright-core'
import { CHROMIUM } from '../../../scripts/programs.ts'
import { FLAGS } from '../../support/chromium.ts'
import { pathOf } from '../../support/program.ts'

/** A window of a browser, with tabs. */
export interface BrowserWindow {
  readonly context: BrowserContext
  close(): Promise<void>
}

/**
 * A Chromium as its users have it, which one that playwright launches is not: tabs behind another are hidden, their timers
 * are slow, and pages that were left rest in the back/forward cache.
 */
export async function openWindow(): Promise<BrowserWindow> {
  const profile = await mkdtemp(join(tmpdir(), 'eventwire-chromium-'))
  const flags = [...FLAGS, '--remote-debugging-port=0', `--user-data-dir=${profile}`, 'about:blank']
  const child = spawn(pathOf(CHROMIUM), flags, { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'close')
  const close = async (): Promise<void> => {
    child.kill()
    await exited
    await rm(profile, { recursive: true, force: true, maxRetries: 10 })
  }
  const address = await new Promise<string>((resolve, reject) => {
    let output = ''
    child.on('error', reject).on('close', () => reject(new Error(`Chromium ended:\n${output}`)))
    child.stderr.on('data', (data) => {
      output += String(data)
      const [, found] = /listening on (ws:\S+)/.exec(output) ?? []
      if (found) resolve(found)
    })
  })
  // Without its defaults, playwright does not have every tab believe that it is in front.
  const browser = await chromium.connectOverCDP(address, { noDefaults: true })
  return { context: browser.contexts()[0]!, close }
}
