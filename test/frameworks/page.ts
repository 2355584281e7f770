import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { blocks, MARKET, ROOT, transpile } from '../support/docs.ts'

/** The code of a page, running. */
export interface Running {
  readonly origin: string
  /** What it has printed. */
  readonly output: () => string
  /** What it has complained of. */
  readonly errors: () => string
  /** Resolves when it has printed `text`; rejects when it ends first. */
  printed(text: string): Promise<void>
  /** Asks it to stop, as a host does. Resolves with its exit code. */
  stop(): Promise<number | null>
}

/**
 * Runs the code of docs/frameworks/<name>.md in a process of its own, on a free port instead of 3000. The folder lies in the
 * project, so that the package finds itself by its name, as it was built.
 */
export async function runPage(name: string): Promise<Running> {
  if (!existsSync(join(ROOT, 'dist/server.js'))) throw new Error('dist/server.js is missing: run `npm run build` first.')
  const [code = ''] = blocks(`docs/frameworks/${name}.md`)
  const folder = await mkdtemp(join(ROOT, '.page-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  // Node runs TypeScript as it is, but for decorators.
  const [file, source] = name === 'nest' ? ['server.js', transpile(code)] : ['server.ts', code]
  await writeFile(join(folder, 'market.ts'), MARKET)
  await writeFile(join(folder, file), source.replace('3000', '0'))
  const script = join(folder, file)
  const running = start(name === 'next' ? [join(import.meta.dirname, 'host.ts'), script] : [script])
  await running.printed('listening ')
  const [, address = ''] = /^listening (.+)$/m.exec(running.output()) ?? []
  const { port } = JSON.parse(address) as { port: number }
  return { ...running, origin: `http://127.0.0.1:${port}` }
}

function start(args: string[]): Omit<Running, 'origin'> {
  const observe = join(import.meta.dirname, 'observe.ts')
  const child = spawn(process.execPath, ['--import', observe, ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  let errors = ''
  let printedMore = Promise.withResolvers<void>()
  let ended = false
  const wake = (): void => {
    printedMore.resolve()
    printedMore = Promise.withResolvers()
  }
  child.stdout.on('data', (data) => {
    output += String(data)
    wake()
  })
  child.stderr.on('data', (data) => (errors += String(data)))
  const exited = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      ended = true
      wake()
      resolve(code)
    })
  })
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  return {
    output: () => output,
    errors: () => errors,
    async printed(text) {
      while (!output.includes(text)) {
        if (ended) throw new Error(`It ended without printing "${text}":\n${output}${errors}`)
        await printedMore.promise
      }
    },
    stop() {
      child.kill('SIGTERM')
      return exited
    },
  }
}
