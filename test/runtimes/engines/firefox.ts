import { onTestFinished } from 'vitest'
import { FIREFOX } from '../../../scripts/programs.ts'
import { missing, pathOf } from '../../support/program.ts'
import type { Result } from '../suite.ts'
import type { Engine } from './engine.ts'
import { load, missingPackage } from './packages.ts'

export const firefox: Engine = {
  name: 'Firefox',
  missing: missing(FIREFOX) ?? missingPackage('puppeteer-core', 'puppeteer-core'),
  async run({ page: url }) {
    const { launch } = await load<PuppeteerPackage>('puppeteer-core')
    const browser = await launch({ browser: 'firefox', executablePath: pathOf(FIREFOX) })
    onTestFinished(() => browser.close())
    const page = await browser.newPage()
    await page.goto(url)
    return page.evaluate('results')
  },
}

interface PuppeteerPackage {
  launch(options: { browser: 'firefox'; executablePath: string }): Promise<{
    newPage(): Promise<{ goto(url: string): Promise<unknown>; evaluate(script: string): Promise<Result[]> }>
    close(): Promise<void>
  }>
}
