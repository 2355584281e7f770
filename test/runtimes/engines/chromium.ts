import { missingChromium, openPage } from '../../support/chromium.ts'
import type { Result } from '../suite.ts'
import type { Engine } from './engine.ts'

export const chromium: Engine = {
  name: 'Chromium',
  missing: missingChromium,
  async run({ page }) {
    return (await openPage(page)).evaluate<Result[]>('results')
  },
}
