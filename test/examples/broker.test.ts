import { execFileSync, spawn, type ChildProcessByStdio } from 'node:child_process'
import { Readable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import { createSubscriber } from 'eventwire/client'
import type { DecodedMessage } from 'eventwire/wire'
import { events } from '../../examples/broker/events.ts'
import { missingMachines, twoMachines } from '../e2e/support/machines.ts'
import { missingChromium, openPage } from '../support/chromium.ts'
import { collect, listen, type Listening } from '../support/listen.ts'
import { servePage } from '../support/bundle.ts'
import { stall } from '../support/stall.ts'
import { readyExample } from './support.ts'

test('every client hears the same times, 2 s apart, though one beside them does not read', async () => {
  const example = await readyExample('broker')
  stall(example.port)
  await example.printed('client 1 has come')
  const heard = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const stream = createSubscriber(events, `${example.url}/events`)
      const times: string[] = []
      for await (const { data } of stream.events('time')) {
        times.push(data.now)
        if (times.length === 3) break
      }
      stream.close()
      return times
    }),
  )
  // One that came between two times has begun with the later one.
  const all = [...new Set(heard.flat())].sort()
  for (const times of heard) expect(all.join()).toContain(times.join())
  for (const [i, time] of all.slice(1).entries()) expect(Date.parse(time) - Date.parse(all[i]!)).toBeGreaterThan(1_900)
  await example.printed('is gone', 20)
  expect(example.output()).not.toContain('client 1 is gone')
})

test('a client that does not keep up hears the newest time when it is back, or is ended; the others hear every time meanwhile', async ({
  skip,
}) => {
  skip(missingMachines !== undefined, missingMachines)
  const machines = twoMachines()
  execFileSync(machines.here[0]!, [...machines.here.slice(1), 'ip', 'link', 'set', 'lo', 'up'])
  // Else the kernel takes megabytes before anybody is slow.
  machines.buffers(16 << 10)
  const example = await readyExample('broker', { env: { HOST: machines.address, EVERY: '5' }, within: machines.here })
  const reader = node(machines.here, `for await (const bytes of (await fetch('${example.url}/events')).body) process.stdout.write(bytes)`)
  const stream = collected(reader)
  await example.printed('client 1 has come')
  // Two that do not read. The first begins when it is told to.
  const [late] = [1, 2].map(() =>
    node(
      machines.here,
      `const socket = (await import('node:net')).connect(${example.port}, '${machines.address}').pause()
      socket.write('GET /events HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n')
      process.once('SIGUSR2', () => socket.pipe(process.stdout))
      setInterval(() => {}, 60_000)`,
    ),
  )
  await example.printed('is slow', 2)
  // While they are, and before they are ended.
  const since = Date.now()
  await stream.until(({ messages }) => timeOf(messages.at(-1)) > since)
  expect(example.output()).not.toContain('is gone')
  late!.kill('SIGUSR2')
  await collected(late!).until(({ gaps, messages }) => {
    return gaps.some(({ reason }) => reason === 'superseded') && messages.at(-1)!.event === 'time'
  })

  await stream.until(() => example.output().includes('is gone'))
  // The log has no holes, so the numbers in the ids have none.
  const numbers = stream.events.map(({ id }) => Number(id.split('-')[1]))
  expect(numbers.length).toBeGreaterThan(1_000)
  expect(numbers).toEqual(numbers.map((_, i) => numbers[0]! + i))
  expect(stream.gaps).toEqual([])
  expect(example.output().split('is gone').length).toBe(2)
  expect(example.output()).not.toContain('client 1 is')
}, 90_000)

test('a client that vanishes without a FIN is noticed', async ({ skip }) => {
  skip(missingMachines !== undefined, missingMachines)
  const machines = twoMachines()
  // Seconds in place of a quarter of an hour.
  machines.retransmissions(3)
  const example = await readyExample('broker', { env: { HOST: machines.address }, within: machines.here })
  await machines.follow(`${example.url}/events`)
  await example.printed('client 1 has come')
  machines.cut()
  await example.printed('client 1 is gone')
})

test('pages at the listed origins may listen, and resume; others may not', async () => {
  const { url, port } = await readyExample('broker')
  const origin = `http://localhost:${port}`
  const stream = await listen(`${url}/events`, { origin })
  expect(stream.response.headers.get('access-control-allow-origin')).toBe(origin)
  const preflight = (from: string): Promise<Response> =>
    fetch(`${url}/events`, {
      method: 'OPTIONS',
      headers: { origin: from, 'access-control-request-method': 'GET', 'access-control-request-headers': 'last-event-id' },
    })
  const allowed = await preflight(origin)
  expect([allowed.status, allowed.headers.get('access-control-allow-origin')]).toEqual([204, origin])
  expect(allowed.headers.get('access-control-allow-headers')).toMatch(/last-event-id/i)
  const refused = await preflight('http://evil.example')
  expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([403, null])
})

test('the page shows the time of a stream of another origin; a page of a third one is refused', async ({ skip }) => {
  skip(missingChromium !== undefined, missingChromium)
  const { url, port } = await readyExample('broker')
  const page = await openPage(url)
  await page.waitForSelector('#time:text(":")')
  expect(await page.textContent('#there')).toBe(`http://localhost:${port}`)
  expect(await page.textContent('#status')).toBe('open')
  const script = `fetch('${url}/events').then(() => 'read', () => 'refused').then((it) => (document.querySelector('main').textContent = it))`
  const stranger = await openPage(await servePage(script))
  await stranger.waitForSelector('main:text("refused")')
})

/** When a time was sent, in ms; 0 for what is none. */
function timeOf(message: DecodedMessage | undefined): number {
  return message?.event === 'time' ? Date.parse((JSON.parse(message.data) as { now: string }).now) : 0
}

/** Runs a script of its own process, by a command that leads elsewhere. Ended with the test. */
function node([command = '', ...args]: readonly string[], script: string): ChildProcessByStdio<null, Readable, null> {
  const child = spawn(command, [...args, process.execPath, '--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = new Promise((resolve) => child.on('exit', resolve))
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  return child
}

/** What a process prints of a stream. The lines of HTTP around it say nothing to a decoder. */
function collected({ stdout }: ChildProcessByStdio<null, Readable, null>): Listening {
  return collect(new Response(Readable.toWeb(stdout) as ReadableStream), () => stdout.destroy())
}
