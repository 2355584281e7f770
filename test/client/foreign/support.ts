import { readFileSync } from 'node:fs'
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'
import { blocks, MARKET, ROOT } from '../../support/docs.ts'
import { serve } from '../../support/serve.ts'

/** A request that a foreign server has got. */
export interface Asked {
  readonly method: string
  /** What it asks for, with the query. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** When it came, as `performance.now()` has it. */
  readonly at: number
  /** Resolves when its response is over, whoever ended it. */
  readonly over: Promise<void>
}

/** A recorded stream: a file of `test/vectors/foreign`. */
export function recording(name: string): string {
  return readFileSync(new URL(`../../vectors/foreign/${name}.txt`, import.meta.url), 'utf8')
}

/** The blocks of a stream, each with its blank line. */
export function blocksOf(stream: string): string[] {
  return stream.split(/(?<=\n\n)/)
}

/** A server that is not ours: `answer` gets each request once its body has come, with its number from 1. */
export async function serveForeign(
  answer: (response: ServerResponse, asked: Asked, attempt: number) => unknown,
): Promise<{ readonly url: string; readonly asked: readonly Asked[] }> {
  const asked: Asked[] = []
  const { url } = await serve((request, response) => {
    const over = new Promise<void>((resolve) => response.once('close', resolve))
    void text(request).then((body) => {
      const { method = '', url: path = '', headers } = request
      const it = { method, path, headers, body, at: performance.now(), over }
      asked.push(it)
      return answer(response, it, asked.length)
    })
  })
  return { url, asked }
}

/** Sends a piece of a stream, and its head if it is the first, in chunks that heed neither lines nor characters. */
export function play(response: ServerResponse, stream: string): void {
  if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' })
  const bytes = Buffer.from(stream)
  for (let at = 0; at < bytes.length; at += 11) response.write(bytes.subarray(at, at + 11))
}

/**
 * The code of a page that calls itself `name` in its first line, run. Its addresses are replaced as `addresses` says.
 * What it exports is what the page shows, so the caller says of which type that is.
 */
export async function recipe<T>(name: string, addresses: Readonly<Record<string, string>> = {}, page = 'docs/foreign.md'): Promise<T> {
  let code = blocks(page).find((block) => block.startsWith(`// ${name}\n`)) ?? ''
  for (const [address, url] of Object.entries(addresses)) {
    if (!code.includes(`'${address}'`)) throw new Error(`${name} does not ask ${address}.`)
    code = code.replace(`'${address}'`, `'${url}'`)
  }
  const folder = await mkdtemp(join(ROOT, '.page-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'market.ts'), MARKET)
  await writeFile(join(folder, name), code)
  return (await import(join(folder, name))) as T
}

/** Answers with JSON. */
export function refuse(response: ServerResponse, status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
