// Holds what a user's bundle grows by: the import, minified and compressed, without any schema library.
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const BUDGETS = [
  { what: 'createSubscriber, types only', budget: 8_200, source: `export { createSubscriber } from 'eventwire/client'` },
  {
    what: 'createSubscriber and defineEvents',
    budget: 9_550,
    source: `export { createSubscriber } from 'eventwire/client'; export { defineEvents } from 'eventwire'`,
  },
]

for (const { what, budget, source } of BUDGETS) {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: '.' },
    // Without the project's paths, so that what is measured is what is published.
    tsconfigRaw: {},
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
  })
  const size = gzipSync(outputFiles[0]!.contents, { level: 9 }).byteLength
  console.log(`${size > budget ? 'TOO LARGE' : 'ok'}  ${what}: ${size} of ${budget} bytes, min+gzip`)
  if (size > budget) process.exitCode = 1
}
