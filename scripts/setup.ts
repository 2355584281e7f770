// Sees to what the tests need beside npm's packages.
import { ensureChromium } from './chromium.ts'

ensureChromium()
