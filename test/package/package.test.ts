import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { compile, converse, install, pack, run, write, type Diagnostic } from './project.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
  version: string
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
  exports: Record<string, unknown>
}

/** What each entry exports. */
const ENTRIES = {
  eventwire: ['EventwireError', 'defineEvents', 'text'],
  'eventwire/client': ['createSubscriber', 'latestOf', 'localCursor', 'onDemand', 'sessionCursor', 'statusOf', 'tabs'],
  'eventwire/openapi': ['asyncapi', 'openapi'],
  'eventwire/otel': ['observeEmitter'],
  'eventwire/react': ['useEvent', 'useLatest', 'useStatus', 'useSubscriber'],
  'eventwire/redis': ['redisLog'],
  'eventwire/server': ['createEmitter', 'memoryLog', 'publishHandler', 'streamEvents'],
  'eventwire/testing': ['createTestServer', 'installClock', 'record', 'testLog'],
  'eventwire/wire': ['createDecoder', 'encode'],
}

/** How users compile: the kind of their package and their options. */
const MODES = {
  nodenext: { type: 'module', options: { module: 'nodenext', declaration: true } },
  'a bundler': { type: 'module', options: { module: 'esnext', moduleResolution: 'bundler', declaration: true } },
  'node16, as CommonJS': { type: 'commonjs', options: { module: 'node16', declaration: true } },
  // Without declarations: in this mode TypeScript finds no name for types that come from a .d.cts.
  commonjs: { type: 'commonjs', options: { module: 'commonjs', moduleResolution: 'bundler' } },
}

const ANOTHER_NAME = `Argument of type '"prise"' is not assignable to parameter of type '"message" | "price"'.`

/** A file beside the quick start that is wrong from line 6 to 10. */
const WRONG = `import { createSubscriber } from 'eventwire/client'
import { createEmitter } from 'eventwire/server'
import { market } from './market.ts'
export const emitter = createEmitter(market)
export const stream = createSubscriber<typeof market>('http://127.0.0.1:3000/events')
void emitter.emit('prise', { symbol: 'BTC', usd: 1 })
void emitter.emit('price', { symbol: 'BTC', usd: '1' })
void emitter.emit('price', { symbol: 'BTC' })
stream.on('prise', () => {})
stream.on('price', (price) => price.volume)
`

/** A project for node, one for browsers that knows nothing of node, and what is installed in them. */
const temp = await mkdtemp(join(tmpdir(), 'eventwire-package-'))
const app = join(temp, 'app')
const page = join(temp, 'page')
const installed = join(app, 'node_modules/eventwire')

let ready: Promise<void> | undefined
beforeEach(() => (ready ??= setUp()), 120_000)
afterAll(() => rm(temp, { recursive: true, force: true }))

describe('the tarball', () => {
  test('holds dist, docs, README, LICENSE and package.json, and nothing else', async () => {
    expect((await readdir(installed)).sort()).toEqual(['LICENSE', 'README.md', 'dist', 'docs', 'package.json'])
    const files = await readdir(join(installed, 'dist'))
    expect(files.filter((file) => !/\.(c?js|d\.c?ts)(\.map)?$/.test(file))).toEqual([])
  })

  test('brings its dependencies and nothing else', async () => {
    const packages = (await readdir(join(page, 'node_modules'))).filter((name) => !name.startsWith('.'))
    expect(packages.sort()).toEqual(['@standard-schema', 'eventsource-parser', 'eventwire', 'typescript', 'zod'])
  })
})

describe('the entries', () => {
  test('are all of the package', () => {
    const paths = Object.keys(manifest.exports).filter((path) => path !== './package.json')
    expect(paths.map((path) => path.replace('.', 'eventwire')).sort()).toEqual(Object.keys(ENTRIES))
  })

  test('can be imported', async () => {
    const script = `
      const found = {}
      for (const entry of ${JSON.stringify(Object.keys(ENTRIES))}) found[entry] = Object.keys(await import(entry)).sort()
      console.log(JSON.stringify(found))`
    await write(app, { 'entries.mjs': script })
    expect(JSON.parse(await run(app, 'entries.mjs'))).toEqual(ENTRIES)
  })

  test('can be required', async () => {
    const script = `
      const found = {}
      for (const entry of ${JSON.stringify(Object.keys(ENTRIES))}) found[entry] = Object.keys(require(entry)).sort()
      console.log(JSON.stringify(found))`
    await write(app, { 'entries.cjs': script })
    expect(JSON.parse(await run(app, 'entries.cjs'))).toEqual(ENTRIES)
  })

  test('include package.json, and nothing below dist', async () => {
    const script = `
      console.log(require('eventwire/package.json').version)
      try { require('eventwire/dist/index.cjs') } catch (error) { console.log(error.code) }`
    await write(app, { 'inside.cjs': script })
    expect(await run(app, 'inside.cjs')).toBe(`${manifest.version}\nERR_PACKAGE_PATH_NOT_EXPORTED\n`)
  })
})

test('the command line runs from where npm links it', async () => {
  await write(app, {
    'version.mjs': `
      import { execFileSync } from 'node:child_process'
      process.stdout.write(execFileSync('node_modules/.bin/eventwire', ['--version'], { cwd: ${JSON.stringify(page)}, encoding: 'utf8' }))`,
  })
  expect(await run(app, 'version.mjs')).toBe(`${manifest.version}\n`)
})

describe('the ESM and the CJS copy', () => {
  test('share contracts, events and errors, whichever makes the contract, serves it or subscribes to it', async () => {
    const script = `
      import { once } from 'node:events'
      import { createServer } from 'node:http'
      import { createRequire } from 'node:module'
      import * as z from 'zod'

      const require = createRequire(import.meta.url)
      const entries = ${JSON.stringify(Object.keys(ENTRIES))}
      const esm = Object.assign({}, ...(await Promise.all(entries.map((entry) => import(entry)))))
      const cjs = Object.assign({}, ...entries.map((entry) => require(entry)))

      async function exchange(contract, server, client) {
        const market = contract.defineEvents({ price: z.object({ usd: z.number() }), message: server.text() })
        const opened = Promise.withResolvers()
        const received = Promise.withResolvers()
        const emitter = server.createEmitter(market, { onConnect: opened.resolve })
        const http = createServer((request, response) => emitter.handleNode(request, response)).listen(0, '127.0.0.1')
        await once(http, 'listening')
        const stream = client.createSubscriber(market, 'http://127.0.0.1:' + http.address().port)
        const events = []
        stream.on('price', (price) => events.push(price))
        stream.on('message', (line) => received.resolve([...events, line]))
        await opened.promise
        const refused = await emitter.emit('price', { usd: 'high' }).catch((error) => error instanceof client.EventwireError && error.code)
        await emitter.emit('price', { usd: 1 })
        await emitter.emit('message', 'done')
        const outcome = [refused, ...(await received.promise)]
        stream.close()
        await emitter.close()
        http.close()
        return outcome
      }

      const outcomes = []
      for (const contract of [esm, cjs])
        for (const server of [esm, cjs])
          for (const client of [esm, cjs]) outcomes.push(await exchange(contract, server, client))
      console.log(JSON.stringify({ copies: esm.EventwireError !== cjs.EventwireError, outcomes }))`
    await write(app, { 'copies.mjs': script })
    const outcome = ['invalid-payload', { usd: 1 }, 'done']
    expect(JSON.parse(await run(app, 'copies.mjs'))).toEqual({ copies: true, outcomes: Array.from({ length: 8 }, () => outcome) })
  })
})

describe('the quick start of the README', () => {
  /** A price, as client.ts logs it. */
  const price = /^[A-Z]+\D*\d/

  test('runs as it is, server and client', async () => {
    const folder = join(app, 'quick-start')
    await write(folder, { 'package.json': '{ "type": "module" }', ...quickStart() })
    expect(await converse(folder, 'server.ts', 'client.ts', price)).toMatch(price)
  })

  test('says of a wrong name what the compiler says', () => {
    const [, said] = /'prise'.*(Argument of type .*)/.exec(readFileSync(join(installed, 'README.md'), 'utf8')) ?? []
    expect(said).toBe(ANOTHER_NAME)
  })

  let compiled: Promise<Map<string, Diagnostic[]>> | undefined

  describe.each(Object.keys(MODES))('for %s', (mode) => {
    let diagnostics: readonly Diagnostic[] = []
    beforeEach(async () => {
      compiled ??= compileQuickStart()
      diagnostics = (await compiled).get(mode)!
    }, 120_000)

    test('compiles, with the types of all libraries checked', () => {
      expect(diagnostics.filter(({ file }) => file !== 'wrong.ts')).toEqual([])
    })

    test('does not compile with a wrong name or payload, and the compiler says why', () => {
      expect(diagnostics.filter(({ file }) => file === 'wrong.ts')).toEqual([
        { file: 'wrong.ts', line: 6, message: `TS2345: ${ANOTHER_NAME}` },
        { file: 'wrong.ts', line: 7, message: `TS2322: Type 'string' is not assignable to type 'number'.` },
        {
          file: 'wrong.ts',
          line: 8,
          message:
            `TS2345: Argument of type '{ symbol: string; }' is not assignable to parameter of type '{ symbol: string; usd: number; }'. ` +
            `Property 'usd' is missing in type '{ symbol: string; }' but required in type '{ symbol: string; usd: number; }'.`,
        },
        { file: 'wrong.ts', line: 9, message: `TS2345: ${ANOTHER_NAME}` },
        { file: 'wrong.ts', line: 10, message: `TS2339: Property 'volume' does not exist on type '{ symbol: string; usd: number; }'.` },
      ])
    })

    test('runs when it is compiled', async () => {
      expect(await converse(folderOf(mode), 'out/server.js', 'out/client.js', price)).toMatch(price)
    })
  })
})

test('all entries compile without the types of node, with the library of browsers alone', async () => {
  const source = `
    import { defineEvents, EventwireError, text } from 'eventwire'
    import { createSubscriber } from 'eventwire/client'
    import { observeEmitter } from 'eventwire/otel'
    import { useLatest, useSubscriber } from 'eventwire/react'
    import { createEmitter, memoryLog, publishHandler, streamEvents } from 'eventwire/server'
    import { testLog } from 'eventwire/testing'
    import { encode } from 'eventwire/wire'
    import * as z from 'zod'

    export const market = defineEvents({ price: z.object({ usd: z.number() }), message: text() })
    const stream = createSubscriber(market, '/events')
    stream.on('price', ({ usd }) => usd.toFixed(2))
    stream.onError((error) => error instanceof EventwireError && error.code)
    export const useUsd = (): number | undefined => useLatest(useSubscriber(market, '/events'), 'price')?.usd
    const emitter = createEmitter(market)
    export const GET = (request: Request): Promise<Response> => emitter.handle(request)
    export const line: string = encode({ data: 'x' })
    testLog((_, run) => run(), memoryLog)`
  const compilerOptions = {
    module: 'esnext',
    moduleResolution: 'bundler',
    target: 'es2022',
    lib: ['es2022', 'dom'],
    types: [],
    strict: true,
    skipLibCheck: false,
    noEmit: true,
  }
  await write(page, {
    'main.ts': source,
    // Proof that those types are not there.
    'node.ts': `import 'node:http'\nprocess.exit()`,
    'tsconfig.json': JSON.stringify({ compilerOptions }),
  })
  const diagnostics = await compile(page)
  expect(diagnostics).toMatchObject([
    { file: 'node.ts', line: 1 },
    { file: 'node.ts', line: 2 },
  ])
}, 60_000)

/** Packs the package and installs it. */
async function setUp(): Promise<void> {
  if (!existsSync(`${root}dist/index.js`)) throw new Error('dist/index.js is missing: run `npm run build` first.')
  const tarball = await pack(root, temp)
  const { zod, typescript, react, '@types/node': node } = manifest.devDependencies
  const dependencies = { eventwire: `file:${tarball}`, zod: zod!, typescript: typescript! }
  await Promise.all([install(app, { ...dependencies, react: react!, '@types/node': node! }), install(page, dependencies)])
}

/** Compiles the quick start and what is wrong beside it, in each mode at the same time. */
async function compileQuickStart(): Promise<Map<string, Diagnostic[]>> {
  const compiled = Object.entries(MODES).map(async ([mode, { type, options }]) => {
    const compilerOptions = {
      ...options,
      target: 'es2022',
      strict: true,
      skipLibCheck: false,
      rewriteRelativeImportExtensions: true,
      types: ['node'],
      rootDir: '.',
      outDir: 'out',
    }
    await write(folderOf(mode), {
      ...quickStart(),
      'wrong.ts': WRONG,
      'package.json': JSON.stringify({ type }),
      'tsconfig.json': JSON.stringify({ compilerOptions }),
    })
    return [mode, await compile(folderOf(mode))] as const
  })
  return new Map(await Promise.all(compiled))
}

function folderOf(mode: string): string {
  return join(app, mode.replaceAll(/\W+/g, '-'))
}

/** The files of the quick start: the blocks of the README that name one in their first line. */
function quickStart(): Record<string, string> {
  const path = join(installed, 'README.md')
  const blocks = [...readFileSync(path, 'utf8').matchAll(/^```ts\n(\/\/ (\S+\.ts)\n[^]*?)^```$/gm)]
  const names = blocks.map(([, , name]) => name)
  if (names.join() !== 'market.ts,server.ts,client.ts') {
    throw new Error(
      'The quick start of README.md is three ts blocks, which begin with // market.ts, // server.ts and // client.ts. ' +
        `Blocks that begin so were found for: ${names.join(', ') || 'no file'}.`,
    )
  }
  return Object.fromEntries(blocks.map(([, source, name]) => [name, source]))
}
