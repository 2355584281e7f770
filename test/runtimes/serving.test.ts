import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { bundle } from '../support/bundle.ts'
import { freePort } from '../support/port.ts'
import { listenZipped } from '../support/zipped.ts'
import { load, locate, missingPackage } from './engines/packages.ts'
import { makeProject, type Project } from './project.ts'

let project: Project

beforeAll(async () => {
  project = await makeProject()
  return () => project.remove()
})

/** Starts a command that serves the entry on a port; gives its origin. It is ended with the test. */
async function serveBy(program: string, args: (port: string) => readonly string[]): Promise<string> {
  const port = String(await freePort())
  const { folder } = project
  const env = { PATH: process.env['PATH'], HOME: folder, DENO_DIR: join(folder, 'deno'), PORT: port }
  const child = spawn(locate(program), [...args(port), 'entries/serving.ts'], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  await new Promise<void>((resolve, reject) => {
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        output += String(data)
        if (output.includes(`:${port}`)) resolve()
      })
    }
    child.on('exit', (code) => reject(new Error(`It ended with ${code}:\n${output}`)))
  })
  return `http://127.0.0.1:${port}`
}

async function serveByWorkerd(): Promise<string> {
  const { Miniflare } = await load<MiniflarePackage>('miniflare')
  const script = await bundle(join(project.folder, 'entries/durable.ts'), { conditions: ['workerd'], logLevel: 'silent' })
  const miniflare = new Miniflare({
    modules: true,
    script,
    durableObjects: { STREAMS: 'Streams' },
    compatibilityDate: '2024-09-23',
    compatibilityFlags: ['nodejs_compat'],
    host: '127.0.0.1',
  })
  onTestFinished(() => miniflare.dispose())
  return (await miniflare.ready).origin
}

interface MiniflarePackage {
  Miniflare: new (options: object) => { readonly ready: Promise<URL>; dispose(): Promise<void> }
}

/** Runtimes that serve it. How many times smaller bursts of ten events become there, at least. */
const RUNTIMES = [
  ['Bun', 'bun/bin/bun', 3, () => serveBy('bun/bin/bun', () => ['run'])],
  [
    'Deno',
    'deno/deno',
    3,
    () => serveBy('deno/deno', (port) => ['serve', '--allow-all', '--cached-only', '--host', '127.0.0.1', '--port', port]),
  ],
  ['workerd', 'miniflare', 3, serveByWorkerd],
] as const

for (const [name, path, least, start] of RUNTIMES) {
  const missing = missingPackage(name, path)
  test.skipIf(missing)(`${name} serves a compressed stream, each event as it is published${missing ? `: ${missing}` : ''}`, async () => {
    const origin = await start()
    const [stream, other] = [await listenZipped(`${origin}/events`), await listenZipped(`${origin}/events`)]
    expect(stream.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'accept-encoding' })
    for (const { until } of [stream, other]) await until(({ cursor }) => cursor !== '')
    const texts = Array.from({ length: 100 }, (_, i) =>
      Array.from({ length: 10 }, (_value, j) => `{"symbol":"BTC","usd":${i * 7_919 + j}}`).join('\n'),
    )
    for (const [i, body] of texts.entries()) {
      await fetch(`${origin}/emit`, { method: 'POST', body })
      for (const { until } of [stream, other]) await until(({ events }) => events.length === i + 1)
    }
    for (const { events } of [stream, other]) expect(events.map(({ data }) => data)).toEqual(texts)
    expect(stream.text.length / stream.body.byteLength).toBeGreaterThan(least)
  })
}
