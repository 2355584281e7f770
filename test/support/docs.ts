import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** A page of the documentation, by its path in the project. */
export const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8')

/** A piece of code in a page. */
export interface Fence {
  readonly language: string
  readonly code: string
  /** What it prints, by the piece of text right behind it; `undefined` for code that is not marked as `run`. */
  readonly prints: string | undefined
}

/** The pieces of code in a page that are of one of these languages. */
export const fences = (page: string, ...languages: string[]): Fence[] =>
  [...read(page).matchAll(/^```(\w+)( run)?\n([^]*?)^```$(?:\n\n```text\n([^]*?)^```$)?/gm)]
    .map(([, language = '', run, code = '', prints = '']) => ({ language, code, prints: run && prints }))
    .filter(({ language }) => languages.includes(language))

/** The pieces of TypeScript in a page. */
export const blocks = (page: string): string[] => fences(page, 'ts').map(({ code }) => code)

/** The contract that every page builds on: the README's. */
export const MARKET = blocks('README.md').find((code) => code.startsWith('// market.ts'))!

/** The project's own settings, decorators as Nest has them (no other code has any), and names that no other piece of code can see. */
const { options } = ts.parseJsonConfigFileContent(ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile).config, ts.sys, ROOT)
const settings: ts.CompilerOptions = {
  ...options,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  moduleDetection: ts.ModuleDetectionKind.Force,
}

/** The compiler's complaints about sources that need not exist on disk, nor the folders that they are in. */
export function compile(files: ReadonlyMap<string, string>): string[] {
  const host = ts.createCompilerHost(settings)
  const { fileExists, directoryExists, readFile, getSourceFile } = host
  const folders = new Set(Array.from(files.keys(), dirname))
  host.fileExists = (name) => files.has(name) || fileExists(name)
  host.directoryExists = (name) => folders.has(name) || directoryExists?.(name) === true
  host.readFile = (name) => files.get(name) ?? readFile(name)
  host.getSourceFile = (name, version, ...rest) =>
    files.has(name) ? ts.createSourceFile(name, files.get(name)!, version) : getSourceFile(name, version, ...rest)
  const program = ts.createProgram([...files.keys()], settings, host)
  return ts
    .getPreEmitDiagnostics(program)
    .map(({ messageText, file }) => `${file?.fileName ?? ''}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`)
}

/** The JavaScript of a source, for what node does not run as it is: decorators. */
export function transpile(source: string): string {
  return ts.transpileModule(source, { compilerOptions: settings }).outputText
}
