import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** A page of the documentation, by its path in the project. */
export const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8')

/** The pieces of code in a page that are of one of these languages. */
export const fences = (page: string, ...languages: string[]): { readonly language: string; readonly code: string }[] =>
  [...read(page).matchAll(/^```(\w+)\n([^]*?)^```$/gm)]
    .map(([, language = '', code = '']) => ({ language, code }))
    .filter(({ language }) => languages.includes(language))

/** The pieces of TypeScript in a page. */
export const blocks = (page: string): string[] => fences(page, 'ts').map(({ code }) => code)

/** The contract that every page builds on: the README's. */
export const MARKET = blocks('README.md').find((code) => code.startsWith('// market.ts'))!

/** The project's own settings, and decorators as Nest has them: no other code has any. */
const { options } = ts.parseJsonConfigFileContent(ts.readConfigFile(join(ROOT, 'tsconfig.json'), ts.sys.readFile).config, ts.sys, ROOT)
const settings: ts.CompilerOptions = { ...options, experimentalDecorators: true, emitDecoratorMetadata: true }

/** The compiler's complaints about sources that need not exist on disk. */
export function compile(files: ReadonlyMap<string, string>): string[] {
  const host = ts.createCompilerHost(settings)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = (name) => files.has(name) || fileExists(name)
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
