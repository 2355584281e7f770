import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../', import.meta.url))

/** What each part of src may import of src, besides itself. A folder stands for all its files. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  'errors.ts': [],
  'awaitable.ts': [],
  'schema.ts': [],
  'contract.ts': ['awaitable.ts', 'errors.ts', 'schema.ts'],
  'index.ts': ['contract.ts', 'errors.ts'],
  wire: ['errors.ts'],
  server: ['awaitable.ts', 'contract.ts', 'errors.ts', 'wire'],
  client: ['awaitable.ts', 'contract.ts', 'errors.ts', 'wire'],
  otel: ['server'],
  react: ['client', 'contract.ts', 'errors.ts'],
  redis: ['errors.ts', 'server', 'wire'],
  testing: ['awaitable.ts', 'client', 'contract.ts', 'errors.ts', 'server', 'wire'],
  openapi: ['contract.ts', 'errors.ts'],
  cli: ['client', 'errors.ts', 'wire'],
}

const PACKAGES = ['@standard-schema/spec', 'eventsource-parser']
/** What one part alone may import: an optional peer dependency. */
const PEERS: Readonly<Record<string, string>> = { react: 'react', redis: 'redis' }
/** Parts that run on node alone, and may import what it brings. */
const NODE_PARTS = new Set(['cli'])
const MAX_LINES = 250

test('the source keeps to its layers and its style', () => {
  const files = readdirSync(`${root}src`, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile())
  const paths = files.map(({ parentPath, name }) => posix.relative(`${root}src`, `${parentPath}/${name}`))
  expect(paths).toEqual(expect.arrayContaining(Object.keys(LAYERS).map((part) => (part.endsWith('.ts') ? part : `${part}/index.ts`))))
  expect(paths.flatMap((path) => violations(path, readFileSync(`${root}src/${path}`, 'utf8')))).toEqual([])
})

test('the package brings two dependencies and no more', () => {
  const manifest = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as Record<string, object>
  expect(Object.keys(manifest['dependencies'] ?? {}).sort()).toEqual(PACKAGES)
})

test.each([
  // Layers.
  ['errors.ts', `import { text } from './contract.ts'`, 'errors.ts imports contract.ts'],
  ['contract.ts', `import { encode } from './wire/encode.ts'`, 'contract.ts imports wire/encode.ts'],
  ['contract.ts', `import { createEmitter } from './server/emitter.ts'`, 'contract.ts imports server/emitter.ts'],
  ['index.ts', `export { createEmitter } from './server/emitter.ts'`, 'index.ts imports server/emitter.ts'],
  ['wire/encode.ts', `import { text } from '../contract.ts'`, 'wire/encode.ts imports contract.ts'],
  ['wire/encode.ts', `import type { Log } from '../server/log.ts'`, 'wire/encode.ts imports server/log.ts'],
  ['server/emitter.ts', `import { backoff } from '../client/backoff.ts'`, 'server/emitter.ts imports client/backoff.ts'],
  ['client/subscriber.ts', `import { memoryLog } from '../server/log.ts'`, 'client/subscriber.ts imports server/log.ts'],
  ['client/subscriber.ts', `import version from '../../package.json'`, 'client/subscriber.ts imports ../package.json'],
  // However it is written.
  ['client/a.ts', `export { memoryLog } from '../server/log.ts'`, 'client/a.ts imports server/log.ts'],
  ['client/a.ts', `export type { Log } from '../server/log.ts'`, 'client/a.ts imports server/log.ts'],
  ['client/a.ts', `export type L = import('../server/log.ts').Log`, 'client/a.ts imports server/log.ts'],
  ['client/a.ts', `import '../server/log.ts'`, 'client/a.ts imports server/log.ts'],
  ['client/a.ts', `export const log = () => import('../server/log.ts')`, 'client/a.ts imports server/log.ts'],
  ['client/a.ts', 'export const log = () => import(`../server/log.ts`)', 'client/a.ts imports server/log.ts'],
  ['client/a.ts', `export const log = () => import(path)`, 'client/a.ts imports what only its run can tell'],
  ['client/a.ts', `const log = require('../server/log.ts')`, 'client/a.ts imports server/log.ts'],
  ['client/a.ts', `import log = require('../server/log.ts')`, 'client/a.ts imports server/log.ts'],
  // Platforms and packages.
  ['server/node.ts', `import type { ServerResponse } from 'node:http'`, 'server/node.ts imports node:http'],
  ['server/node.ts', `import { createServer } from 'http'`, 'server/node.ts imports http'],
  ['server/node.ts', `/// <reference types="node" />`, 'server/node.ts references node'],
  ['server/node.ts', `/// <reference path="../client/a.ts" />`, 'server/node.ts references ../client/a.ts'],
  ['cli/a.ts', `import { createServer } from 'http'`, 'cli/a.ts imports http'],
  ['cli/a.ts', `import { createEmitter } from '../server/emitter.ts'`, 'cli/a.ts imports server/emitter.ts'],
  ['contract.ts', `import * as z from 'zod'`, 'contract.ts imports zod'],
  ['client/a.ts', `import { useMemo } from 'react'`, 'client/a.ts imports react'],
  ['react/a.ts', `import { createPortal } from 'react-dom'`, 'react/a.ts imports react-dom'],
  ['react/a.ts', `import { createEmitter } from '../server/emitter.ts'`, 'react/a.ts imports server/emitter.ts'],
  // Indexes.
  ['server/emitter.ts', `import { encode } from '../wire/index.ts'`, 'server/emitter.ts imports the index wire/index.ts'],
  ['server/log.ts', `import { createEmitter } from './index.ts'`, 'server/log.ts imports the index server/index.ts'],
  ['server/web/index.ts', `export { web } from './web.ts'`, 'server/web/index.ts is an index of no entry'],
  ['server/index.js', '', 'server/index.js is no TypeScript'],
  // Folders that no rule speaks of.
  ['elsewhere/log.ts', '', 'elsewhere has no layer'],
  ['util.ts', '', 'util.ts has no layer'],
  // Style.
  ['wire/a.ts', `export * from './encode.ts'`, 'wire/a.ts has export *'],
  ['wire/a.ts', `export * as wire from './encode.ts'`, 'wire/a.ts has export *'],
  ['wire/a.ts', `export default 1`, 'wire/a.ts has a default export'],
  ['wire/a.ts', `export default function encode() {}`, 'wire/a.ts has a default export'],
  ['wire/a.ts', `const encode = 1; export { encode as default }`, 'wire/a.ts has a default export'],
  ['wire/a.ts', `export = 1`, 'wire/a.ts has a default export'],
  ['wire/a.ts', `enum State { Open }`, 'wire/a.ts has an enum'],
  ['wire/a.ts', `export const enum State { Open }`, 'wire/a.ts has an enum'],
  ['wire/a.ts', '// line\n'.repeat(MAX_LINES + 1), 'wire/a.ts has 251 lines'],
])('in %s, %j is found out', (path, source, violation) => {
  expect(violations(path, source)).toEqual([violation])
})

test('what is allowed, and what only looks like an import, is let through', () => {
  const source = `
    // import { memoryLog } from '../server/log.ts'
    import { createParser } from 'eventsource-parser'
    import type { Contract } from '../contract.ts'
    import { messageOf } from '../errors.ts'
    import { encode } from '../wire/encode.ts'
    import { settle } from './options.ts'
    export const snippet = "import { memoryLog } from '../server/log.ts'"
    export type State = 'connecting' | 'open'
  `
  expect(violations('client/subscriber.ts', source)).toEqual([])
  expect(violations('client/index.ts', `export { createSubscriber } from './subscriber.ts'`)).toEqual([])
  expect(violations('react/a.ts', `import { useMemo } from 'react'`)).toEqual([])
  expect(violations('cli/a.ts', `import { parseArgs } from 'node:util'`)).toEqual([])
  expect(violations('wire/a.ts', '// line\n'.repeat(MAX_LINES))).toEqual([])
})

/** What a file of src, given by its path from there, does against the rules. */
function violations(path: string, source: string): string[] {
  const part = path.split('/')[0]!
  const allowed = LAYERS[part]
  if (!allowed) return [`${part} has no layer`]
  if (!path.endsWith('.ts')) return [`${path} is no TypeScript`]

  const file = ts.createSourceFile(path, source, ts.ScriptTarget.Latest, true)
  const found = [...importsOf(file).map((specifier) => importFault(path, [part, ...allowed], specifier)), ...styleFaults(file)]
  for (const { fileName } of [...file.referencedFiles, ...file.typeReferenceDirectives, ...file.libReferenceDirectives]) {
    found.push(`references ${fileName}`)
  }
  if (posix.basename(path) === 'index.ts' && path.split('/').length > 2) found.push('is an index of no entry')
  const lines = source.trimEnd().split('\n').length
  if (lines > MAX_LINES) found.push(`has ${lines} lines`)
  return found.filter((fault) => fault !== undefined).map((fault) => `${path} ${fault}`)
}

function importFault(path: string, allowed: readonly string[], specifier: string | undefined): string | undefined {
  if (specifier === undefined) return 'imports what only its run can tell'
  if (specifier.startsWith('node:') && NODE_PARTS.has(allowed[0]!)) return undefined
  if (!specifier.startsWith('.'))
    return PACKAGES.includes(specifier) || PEERS[allowed[0]!] === specifier ? undefined : `imports ${specifier}`
  const target = posix.join(posix.dirname(path), specifier)
  if (!allowed.includes(target.split('/')[0]!)) return `imports ${target}`
  return posix.basename(target) === 'index.ts' ? `imports the index ${target}` : undefined
}

/** The specifiers of all imports, of types and values, in any form; `undefined` for one that is computed. */
function importsOf(file: ts.SourceFile): (string | undefined)[] {
  return nodesOf(file).flatMap((node) => {
    if (ts.isImportDeclaration(node)) return textOf(node.moduleSpecifier)
    if (ts.isExportDeclaration(node)) return node.moduleSpecifier ? textOf(node.moduleSpecifier) : []
    if (ts.isExternalModuleReference(node)) return textOf(node.expression)
    if (ts.isImportTypeNode(node)) return ts.isLiteralTypeNode(node.argument) ? textOf(node.argument.literal) : undefined
    if (ts.isCallExpression(node) && isImporting(node.expression)) return node.arguments[0] && textOf(node.arguments[0])
    return []
  })
}

function isImporting(callee: ts.Expression): boolean {
  return callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === 'require')
}

function styleFaults(file: ts.SourceFile): string[] {
  return nodesOf(file).flatMap((node) => {
    if (ts.isExportDeclaration(node) && (!node.exportClause || ts.isNamespaceExport(node.exportClause))) return 'has export *'
    if (ts.isExportAssignment(node) || node.kind === ts.SyntaxKind.DefaultKeyword) return 'has a default export'
    if (ts.isExportSpecifier(node) && node.name.text === 'default') return 'has a default export'
    if (ts.isEnumDeclaration(node)) return 'has an enum'
    return []
  })
}

function textOf(node: ts.Node): string | undefined {
  return ts.isStringLiteralLike(node) ? node.text : undefined
}

function nodesOf(node: ts.Node): ts.Node[] {
  const nodes: ts.Node[] = []
  node.forEachChild((child) => {
    nodes.push(child, ...nodesOf(child))
  })
  return nodes
}
