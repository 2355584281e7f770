// Holds what a user's bundle grows by: the import, minified and compressed, without any schema library.
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const CLIENT = `export { createSubscriber } from 'eventwire/client'`
const BUDGETS = [
  { what: 'createSubscriber, types only', budget: 10_520, source: CLIENT },
  { what: 'createSubscriber and defineEvents', budget: 11_940, source: `${CLIENT}; export { defineEvents } from 'eventwire'` },
  { what: 'with a cursor store', budget: 10_590, source: `export { createSubscriber, sessionCursor } from 'eventwire/client'` },
  { what: 'with tabs', budget: 14_260, source: `export { createSubscriber, tabs } from 'eventwire/client'` },
  { what: 'the hooks of React, without React', budget: 11_660, source: `export * from 'eventwire/react'` },
  // For comparison: what the client cannot be smaller than.
  { what: 'eventsource-parser alone', budget: 1_900, source: `export { createParser } from 'eventsource-parser'` },
]

for (const { what, budget, source } of BUDGETS) {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: '.' },
    // Without the project's paths, so that what is measured is what is published.
    tsconfigRaw: {},
    bundle: true,
    logLevel: 'error',
    external: ['react'],
    minify: true,
    format: 'esm',
    write: false,
  })
  const size = gzipSync(outputFiles[0]!.contents, { level: 9 }).byteLength
  console.log(`${size > budget ? 'TOO LARGE' : 'ok'}  ${what}: ${size} of ${budget} bytes, min+gzip`)
  if (size > budget) process.exitCode = 1
}
