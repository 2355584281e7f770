import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

const src = (path: string): string => fileURLToPath(new URL(`src/${path}`, import.meta.url))

export default defineConfig({
  resolve: {
    alias: [
      { find: /^eventwire$/, replacement: src('index.ts') },
      { find: /^eventwire\/(client|openapi|otel|react|redis|server|testing|wire)$/, replacement: src('$1/index.ts') },
    ],
  },
  test: {
    include: ['test/**/*.test.ts'],
    reporters: ['default', ['json', { outputFile: '.report.json' }]],
    testTimeout: 30_000,
  },
})
