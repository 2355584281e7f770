import { readdirSync } from 'node:fs'
import { cp, mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { read, ROOT } from '../support/docs.ts'
import { listen } from '../support/listen.ts'
import { dial, head } from '../support/raw.ts'
import { serve } from '../support/serve.ts'
import { spawned } from '../support/spawned.ts'
import { readyExample, startExample } from './support.ts'

const STREAMS = { workers: '/hello', 'crypto-price': '/prices', 'send-event': '/events', broker: '/events' }

test.each(Object.entries(STREAMS))('%s says where it is, and ends in order at Ctrl-C with a stream open', async (name, path) => {
  const example = await readyExample(name)
  expect(example.output()).toContain(`The page:   ${example.url}\nIn a shell: curl -N ${example.url}${path}\n`)
  const stream = await dial(example.port)
  stream.write(head(`GET ${path}`, 'host: x'))
  await stream.until('$ready')
  example.interrupt()
  // The last chunk: it was ended, not cut.
  expect(await stream.closed).toMatch(/\r\n0\r\n\r\n$/)
  expect(await example.exited).toBe(0)
  expect(example.output()).not.toMatch(/error/i)
})

test('a second Ctrl-C, and a client in the midst of a request, change nothing about that', async () => {
  const example = await readyExample('broker')
  const stream = await listen(`${example.url}/events`)
  await stream.until(({ messages }) => messages.length > 0)
  const half = await dial(example.port)
  half.write('GET / HTTP/1.1\r\nhost:')
  example.interrupt()
  await stream.ended
  // npm passes on the one that the terminal has sent to all already.
  example.interrupt()
  expect(await example.exited).toBe(0)
})

test.each(Object.keys(STREAMS))('%s says that its port is taken, and which to try', async (name) => {
  const { port } = await serve(() => {})
  const example = await startExample(name, { port })
  expect(await example.exited).toBe(1)
  expect(example.output()).toBe(`Port ${port} is taken. Choose another: PORT=${port + 1} npm run example ${name}\n`)
})

test('a port that is none is named', async () => {
  for (const port of ['eighty', '70000']) {
    const example = await startExample('broker', { port })
    expect(await example.exited).toBe(1)
    expect(example.output()).toBe(`PORT is "${port}"; give a number from 0 to 65535.\n`)
  }
})

// An address for documentation, and no address.
test.each(['192.0.2.1', 'no host'])('a host that is none of this machine is named: %s', async (HOST) => {
  const example = await startExample('broker', { env: { HOST } })
  expect(await example.exited).toBe(1)
  expect(example.output()).toBe(`HOST is "${HOST}"; give an address of this machine.\n`)
})

test.each([undefined, 'nonesuch', '__proto__', '../demo'])('lists every example that there is when it is asked for %s', async (name) => {
  const folder = fileURLToPath(new URL('../../examples/', import.meta.url))
  const others = new Set(['demo', 'shared'])
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory() && !others.has(entry.name))
  const { exited, output } = await startExample(name)
  expect(await exited).toBe(1)
  if (name) expect(output()).toContain(`There is no example ${JSON.stringify(name)}.`)
  const listed = Array.from(output().matchAll(/^ {2}(\S+) +\S/gm), ([, listedName]) => listedName)
  expect(new Set(listed)).toEqual(new Set(names.map((entry) => entry.name)))
})

/** A project whose build, and whose one example, do no more than to say so. */
async function project() {
  const folder = await mkdtemp(join(tmpdir(), 'eventwire-run-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const { example } = (JSON.parse(read('package.json')) as { scripts: { example: string } }).scripts
  const built = `node -e "fs.mkdirSync('dist');fs.writeFileSync('dist/index.js','');console.log('built')"`
  for (const path of ['src', 'examples/broker']) await mkdir(join(folder, path), { recursive: true })
  await cp(join(ROOT, 'examples/run.ts'), join(folder, 'examples/run.ts'))
  await writeFile(join(folder, 'examples/broker/server.ts'), `console.log('started')`)
  await writeFile(join(folder, 'src/index.ts'), '')
  await writeFile(join(folder, 'package.json'), JSON.stringify({ type: 'module', scripts: { example, build: built } }))
  const run = async (name: string): Promise<string> => {
    const child = spawned('npm', ['run', '-s', 'example', name], { cwd: folder })
    await child.exited
    return child.output
  }
  return { folder, run }
}

test('npm run example builds what is not built, but not for a wrong name, nor again before the sources have changed', async () => {
  const { folder, run } = await project()
  expect(await run('nonesuch')).toMatch(/^There is no example "nonesuch"/)
  expect(await run('broker')).toBe('Building…\nbuilt\nstarted\n')
  expect(await run('broker')).toBe('started\n')
  const later = new Date(Date.now() + 60_000)
  await utimes(join(folder, 'src/index.ts'), later, later)
  // That one fails, for there is a dist already.
  expect(await run('broker')).toMatch(/^Building…\n[^]*EEXIST(?![^]*started)/)
})

test('serves the page and what belongs to it, and nothing else', async () => {
  const { url } = await readyExample('workers')
  const types = { '/': 'text/html', '/page.js': 'text/javascript', '/style.css': 'text/css', '/favicon.ico': 'image/svg+xml' }
  for (const [path, type] of Object.entries(types)) {
    const response = await fetch(url + path)
    expect([response.status, response.headers.get('content-type')]).toEqual([200, `${type}; charset=utf-8`])
    expect(await response.text()).not.toBe('')
  }
  for (const path of ['/server.ts', '/__proto__', '/constructor', '//', '/%']) expect((await fetch(url + path)).status).toBe(404)
  const posted = await fetch(`${url}/`, { method: 'POST' })
  expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
})
