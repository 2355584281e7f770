import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const root = fileURLToPath(new URL('../../', import.meta.url))

/**
 * Compiles sources as files of this folder, with the options of tsconfig.json. Gives, for each, what the compiler objects
 * to: one text per diagnostic, as `line 3: …`. Unions of strings are in the order of the alphabet; the compiler's own order
 * depends on what else it has read.
 */
export function compile(sources: ReadonlyMap<string, string>): Map<string, string[]> {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, (path) => ts.sys.readFile(path)) as { config: object }
  const { options } = ts.parseJsonConfigFileContent({ ...config, files: [] }, ts.sys, root)
  const paths = new Map([...sources.keys()].map((name) => [`${root}test/types/${name}`, name]))
  const host = ts.createCompilerHost(options)
  const { readFile, fileExists } = host
  host.readFile = (path) => sources.get(paths.get(path) ?? '') ?? readFile(path)
  host.fileExists = (path) => paths.has(path) || fileExists(path)
  host.getSourceFile = (path, version) => {
    const text = host.readFile(path)
    return text === undefined ? undefined : ts.createSourceFile(path, text, version)
  }

  const program = ts.createProgram([...paths.keys()], options, host)
  const diagnosed = new Map<string, string[]>([...sources.keys()].map((name) => [name, []]))
  for (const { file, start = 0, messageText } of ts.getPreEmitDiagnostics(program)) {
    const message = sortUnions(ts.flattenDiagnosticMessageText(messageText, ' ').replaceAll(/\s+/g, ' '))
    const name = file && paths.get(file.fileName)
    // A fault that is not in a given source: of the options, or of src itself.
    if (!file || !name) throw new Error(`${file?.fileName ?? 'tsconfig.json'}: ${message}`)
    diagnosed.get(name)?.push(`line ${file.getLineAndCharacterOfPosition(start).line + 1}: ${message}`)
  }
  return diagnosed
}

function sortUnions(message: string): string {
  return message.replaceAll(/"[^"]*"(?: \| "[^"]*")+/g, (union) => union.split(' | ').sort().join(' | '))
}
