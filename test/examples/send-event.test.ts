import { expect, test } from 'vitest'
import { missingChromium, openPage } from '../support/chromium.ts'
import { listen, type Listening } from '../support/listen.ts'
import { dial, head, statusesOf } from '../support/raw.ts'
import { readyExample } from './support.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

const post = (url: string, body: BodyInit, headers: Record<string, string> = JSON_TYPE): Promise<Response> =>
  fetch(`${url}/send-event`, { method: 'POST', body, headers })

/** Sends a message; gives its id. */
async function send(url: string, message: string): Promise<string> {
  const response = await post(url, JSON.stringify({ message }))
  expect(response.status).toBe(202)
  return ((await response.json()) as { id: string }).id
}

const messages = ({ events }: Listening): string[] => events.map(({ data }) => data)

/** A stream, once the server has it among those that it sends to. */
async function opened(url: string, headers?: Record<string, string>): Promise<Listening> {
  const stream = await listen(`${url}/events`, headers)
  await stream.until(({ cursor }) => cursor !== '')
  return stream
}

test('a message reaches every client, the first as well as those that came later', async () => {
  const { url } = await readyExample('send-event')
  const streams = [await opened(url)]
  await send(url, 'to one')
  streams.push(await opened(url), await opened(url))
  const id = await send(url, 'to three: ü\nand a second line')
  for (const stream of streams) await stream.until(({ cursor }) => cursor === id)
  expect(streams.map(messages)).toEqual([
    ['to one', 'to three: ü\nand a second line'],
    ['to three: ü\nand a second line'],
    ['to three: ü\nand a second line'],
  ])
})

test('a message is taken when nobody listens, and one who comes late goes on behind what it had', async () => {
  const { url } = await readyExample('send-event')
  await send(url, 'one')
  const early = await opened(url)
  const two = await send(url, 'two')
  await early.until(({ cursor }) => cursor === two)
  early.leave()
  await send(url, 'three')
  const four = await send(url, 'four')
  const late = await opened(url, { 'last-event-id': two })
  await late.until(({ cursor }) => cursor === four)
  expect(messages(late)).toEqual(['three', 'four'])
  expect(late.ready).toMatchObject({ resumed: true, replayed: 2 })
  expect(late.gaps).toEqual([])
})

test('what is no message is refused with the right status and a sentence, and the server lives on', async () => {
  const { url } = await readyExample('send-event')
  const stream = await opened(url)
  const cases: readonly (readonly [status: number, BodyInit, Record<string, string>?])[] = [
    [400, '{"message":'],
    [400, ''],
    [400, new Uint8Array([0x22, 0xff, 0x22])],
    [413, JSON.stringify({ message: 'x'.repeat(16 << 10) })],
    [413, JSON.stringify({ message: 'x'.repeat(4 << 20) })],
    [415, 'message=hello', { 'content-type': 'application/x-www-form-urlencoded' }],
    [415, '{"message":"hello"}', { 'content-type': 'application/jsonp' }],
    [422, '{}'],
    [422, 'null'],
    [422, '["message"]'],
    [422, '{"message":7}'],
    [422, '{"message":" "}'],
  ]
  for (const [status, body, headers] of cases) {
    const response = await post(url, body, headers)
    expect([response.status, response.headers.get('content-type')]).toEqual([status, 'application/problem+json'])
    expect(await response.json()).toMatchObject({ status, title: expect.any(String), detail: expect.stringMatching(/^[^\n✖]+\.$/) })
  }
  for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS']) {
    const response = await fetch(`${url}/send-event`, { method })
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
  }
  expect((await post(url, '{"message":"still here"}', { 'content-type': 'Application/JSON; charset=utf-8' })).status).toBe(202)
  await stream.until((so) => messages(so).length > 0)
  expect(messages(stream)).toEqual(['still here'])
})

test('a client that leaves in the midst of its message harms nobody', async () => {
  const example = await readyExample('send-event')
  const client = await dial(example.port)
  client.write(head('POST /send-event', 'host: x', 'content-type: application/json', 'content-length: 100') + '{ "mess')
  // Its request has come once one that was sent after it is answered.
  await send(example.url, 'before')
  client.socket.resetAndDestroy()
  await client.closed
  await send(example.url, 'after')
  expect(statusesOf(client.text)).toEqual([])
  expect(example.output()).toMatch(/To stop: .*\n$/)
})

test('what is sent on one page appears on another, and a page that was away is told what it missed', async ({ skip }) => {
  skip(missingChromium !== undefined, missingChromium)
  const { url } = await readyExample('send-event')
  const [one, two] = [await openPage(url), await openPage(url)]
  for (const page of [one, two]) await page.waitForSelector('#status:text-is("open")')
  await one.fill('input', 'hello from the page')
  await one.click('button')
  for (const page of [one, two]) await page.waitForSelector('#messages li:text-is("hello from the page")')
  await one.waitForSelector('#outcome:text("Sent as")')
  expect(await one.inputValue('input')).toBe('')

  await two.goto(`${url}/favicon.ico`)
  await send(url, 'sent while it was away')
  await two.goto(url)
  await two.waitForSelector('#messages li')
  expect(await two.locator('#messages li').allTextContents()).toEqual(['sent while it was away'])
  expect(await two.textContent('#status')).toBe('open, 1 replayed')
})
