import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { onTestFinished } from 'vitest'
import { WEBKIT, XVFB } from '../../../scripts/programs.ts'
import { freePort } from '../../support/port.ts'
import { missing, pathOf } from '../../support/program.ts'
import type { Result } from '../suite.ts'
import type { Engine } from './engine.ts'

export const webkit: Engine = {
  name: 'WebKitGTK',
  missing: missing(WEBKIT) ?? missing(XVFB),
  async run({ page }) {
    const ask = await startDriver(await startDisplay())
    // Its own browser is what it starts unless it is told of another.
    const { sessionId } = await ask<{ sessionId: string }>('POST', '/session', { capabilities: {} })
    onTestFinished(() => ask<void>('DELETE', `/session/${sessionId}`))
    await ask('POST', `/session/${sessionId}/timeouts`, { script: 150_000 })
    await ask('POST', `/session/${sessionId}/url`, { url: page })
    return ask<Result[]>('POST', `/session/${sessionId}/execute/async`, { script: 'results.then(arguments[0])', args: [] })
  },
}

/** Sends a command of the WebDriver protocol, and gives the value that it is answered with. */
type Ask = <T>(method: string, path: string, body?: unknown) => Promise<T>

/** Starts a display that nobody sees. Gives its name. */
async function startDisplay(): Promise<string> {
  const child = spawn(pathOf(XVFB), ['-displayfd', '3', '-nolisten', 'tcp'], { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] })
  stopLater(child)
  const [number] = (await once(createInterface({ input: child.stdio[3] as Readable }), 'line')) as [string]
  return `:${number}`
}

async function startDriver(display: string): Promise<Ask> {
  const port = await freePort()
  const child = spawn(pathOf(WEBKIT), [`--port=${port}`], { env: { ...process.env, DISPLAY: display }, stdio: 'ignore' })
  stopLater(child)
  const ask: Ask = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...(body !== undefined && { body: JSON.stringify(body) }) })
    const { value } = (await response.json()) as { value: never }
    if (!response.ok) throw new Error(`${path}: ${JSON.stringify(value)}`)
    return value
  }
  for (;;) {
    if (child.exitCode !== null) throw new Error(`WebKitWebDriver ended with ${child.exitCode}.`)
    // It says nothing when it is ready.
    const ready = await ask('GET', '/status').catch(() => undefined)
    if (ready) return ask
  }
}

function stopLater(child: ChildProcess): void {
  const exited = new Promise((resolve) => child.on('exit', resolve))
  onTestFinished(async () => {
    child.kill()
    await exited
  })
}
