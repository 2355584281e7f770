import { defineConfig, type Options } from 'tsup'

const shared: Options = {
  entry: {
    index: 'src/index.ts',
    server: 'src/server/index.ts',
    client: 'src/client/index.ts',
    wire: 'src/wire/index.ts',
    otel: 'src/otel/index.ts',
    react: 'src/react/index.ts',
    redis: 'src/redis/index.ts',
    testing: 'src/testing/index.ts',
    openapi: 'src/openapi/index.ts',
  },
  target: 'es2022',
  platform: 'neutral',
  dts: true,
  sourcemap: true,
}

export default defineConfig([
  { ...shared, format: 'esm', splitting: true },
  // Without splitting: for CJS it goes through a second compiler, which turns every `?.` into calls. Errors and contracts
  // carry a brand, so a copy in each entry does no harm. With the parser inside: it is an ES module alone, which jest cannot require.
  { ...shared, format: 'cjs', splitting: false, noExternal: ['eventsource-parser'] },
  // The command line: a program for node, which nobody imports.
  { entry: { cli: 'src/cli/index.ts' }, format: 'esm', target: 'node22', platform: 'node', sourcemap: true },
])
