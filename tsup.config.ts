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
  },
  target: 'es2022',
  platform: 'neutral',
  dts: true,
  sourcemap: true,
}

export default defineConfig([
  { ...shared, format: 'esm', splitting: true },
  // Without splitting: for CJS it goes through a second compiler, which turns every `?.` into calls. Errors and contracts
  // carry a brand, so a copy in each entry does no harm.
  { ...shared, format: 'cjs', splitting: false },
])
