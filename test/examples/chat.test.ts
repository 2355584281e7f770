import { createHmac } from 'node:crypto'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createSubscriber } from 'eventwire/client'
import { events } from '../../examples/chat/events.ts'
import { missingChromium, openPage } from '../support/chromium.ts'
import { freePort } from '../support/port.ts'
import { missingRedis, startRedis } from '../support/redis.ts'
import { collector } from '../support/subscribe.ts'
import { readyExample, type Example } from './support.ts'

const post = (url: string, body: unknown, cookie = ''): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', cookie }, body: JSON.stringify(body) })

/** Somebody who has signed in. */
async function guest({ url }: Pick<Example, 'url'>, name: string) {
  const response = await post(`${url}/me`, { name })
  const cookie = response.headers.getSetCookie()[0]!.split(';')[0]!
  return {
    cookie,
    say: (room: string, text: string, at = url) =>
      post(`${at}/say`, { event: 'said', topic: room, data: { from: name, text } }, cookie).then(({ status }) => status),
  }
}

/** What is heard in a room, and the gaps. */
function hear(cookie: string, room: string, url: () => string) {
  const heard = collector<string>()
  const gaps: string[] = []
  const stream = createSubscriber(events, () => `${url()}/events?room=${room}`, {
    headers: { cookie },
    backoff: { base: 1, max: 1 },
  })
  onTestFinished(() => stream.close())
  stream.onGap(({ reason }) => gaps.push(reason))
  stream.on('said', ({ text }) => heard.take(text))
  return { stream, heard, gaps }
}

test('who comes in hears what was said before, and from then on all that is said, in that room alone', async () => {
  const example = await readyExample('chat')
  const ada = await guest(example, 'Ada')
  const at = (): string => example.url
  expect(await ada.say('Lobby', 'one')).toBe(202)
  await ada.say('Kitchen', 'soup')
  await ada.say('Lobby', 'two')
  const lobby = hear(ada.cookie, 'Lobby', at)
  const kitchen = hear(ada.cookie, 'Kitchen', at)
  await Promise.all([lobby.heard.reach(2), kitchen.heard.reach(1)])
  for (const [room, text] of [
    ['Kitchen', 'salt'],
    ['Lobby', 'three'],
    ['Kitchen', 'bread'],
  ] as const)
    await ada.say(room, text)
  await Promise.all([lobby.heard.reach(3), kitchen.heard.reach(3)])
  expect([lobby.heard.items, kitchen.heard.items]).toEqual([
    ['one', 'two', 'three'],
    ['soup', 'salt', 'bread'],
  ])
})

test('a stranger is not heard and hears nothing, and nobody speaks in the name of another', async () => {
  const example = await readyExample('chat')
  const { url } = example
  const ada = await guest(example, 'Ada')
  const name = Buffer.from('Ada').toString('base64url')
  const forged = createHmac('sha256', 'a guess').update(name).digest('base64url')
  const said = (from: string, topic = 'Lobby', text = 'x') => ({ event: 'said', topic, data: { from, text } })

  for (const cookie of ['', 'chat=', `chat=${name}.`, `chat=${name}.${forged}`, `other${ada.cookie}`]) {
    expect([cookie, (await post(`${url}/say`, said('Ada'), cookie)).status]).toEqual([cookie, 401])
    expect([cookie, (await fetch(`${url}/events?room=Lobby`, { headers: { cookie } })).status]).toEqual([cookie, 401])
  }
  const cases: [number, unknown][] = [
    [403, said('Grace')],
    [403, said('Ada', 'Cellar')],
    [403, { event: 'said', data: { from: 'Ada', text: 'to everybody' } }],
    [422, said('Ada', 'Lobby', ' ')],
    [422, said('Ada', 'Lobby', 'x'.repeat(501))],
    [400, []],
  ]
  for (const [status, body] of cases) expect([body, (await post(`${url}/say`, body, ada.cookie)).status]).toEqual([body, status])
  expect((await fetch(`${url}/events?room=Cellar`, { headers: { cookie: ada.cookie } })).status).toBe(404)
  expect((await fetch(`${url}/events`, { headers: { cookie: ada.cookie } })).status).toBe(404)
  for (const body of [{}, null, { name: ' ' }, { name: 'x'.repeat(21) }]) expect((await post(`${url}/me`, body)).status).toBe(422)
  expect((await fetch(`${url}/me`, { method: 'DELETE' })).status).toBe(405)
  expect(await (await fetch(`${url}/me`)).json()).toEqual({ name: null })

  await ada.say('Lobby', 'the first')
  const { heard } = hear(ada.cookie, 'Lobby', () => url)
  expect(await heard.reach(1)).toEqual(['the first'])
})

test.skipIf(missingChromium)('the page asks who it is once, has a history for each room, and shows what is said as text', async () => {
  const example = await readyExample('chat')
  const faults: string[] = []
  const page = await openPage(example.url, faults)
  const lines = (): Promise<string[]> => page.locator('#messages li').allInnerTexts()
  await page.fill('#sign-in input', 'Ädä')
  await page.click('#sign-in button')
  for (const text of ['hello', '<b>bold</b>']) {
    await page.fill('#say input', text)
    await page.click('#say button')
    await page.waitForFunction((said) => document.querySelector('#messages')?.lastElementChild?.textContent?.endsWith(said), text)
  }
  const grace = await guest(example, 'Grace')
  await grace.say('Kitchen', 'soup')
  await grace.say('Lobby', 'good morning')
  await page.waitForSelector('#messages li:nth-child(3)')
  const said = ['hello', '<b>bold</b>', 'Grace\ngood morning']
  expect(await lines()).toEqual(said)

  await page.click('nav a:text("Kitchen")')
  await page.waitForSelector('#messages li:has-text("soup")')
  expect(await lines()).toEqual(['Grace\nsoup'])

  await page.click('nav a:text("Workshop")')
  await page.waitForSelector('#status:text("open")')
  expect(await lines()).toEqual([])

  await page.goBack()
  await page.goBack()
  await page.reload()
  await page.waitForSelector('#messages li:nth-child(3)')
  expect(await lines()).toEqual(said)
  expect(faults).toEqual([])
})

test('without Redis it says that the log is its own, and how to share one; while Redis is away, what is wrong in a line each', async () => {
  const alone = await readyExample('chat')
  expect(alone.output()).toContain('# The log is in the memory of this process.')
  const REDIS_URL = `redis://127.0.0.1:${await freePort()}`
  const shared = await readyExample('chat', { env: { REDIS_URL } })
  expect(shared.output()).toContain(
    `# Another process on the same log:\n            REDIS_URL="$REDIS_URL" PORT=${shared.port + 1} npm run example chat\n`,
  )
  await shared.printed('Look whether Redis runs')
  expect(shared.output()).not.toMatch(/^ +at /m)
})

describe.skipIf(missingRedis)('two processes on one Redis', () => {
  /** Two of them, one guest, and a client that is at the first. */
  async function start() {
    const redis = await startRedis()
    const env = { REDIS_URL: redis.url }
    const [one, two] = await Promise.all([readyExample('chat', { env }), readyExample('chat', { env })])
    return { one, two, ada: await guest(one, 'Ada') }
  }

  test('what is said at one is heard at the other, now and by who comes in later; the cookie is good at both', async () => {
    const { one, two, ada } = await start()
    const first = hear(ada.cookie, 'Lobby', () => two.url)
    expect(await ada.say('Lobby', 'at one')).toBe(202)
    await first.heard.reach(1)
    expect(await ada.say('Lobby', 'at two', two.url)).toBe(202)
    await first.heard.reach(2)
    const later = hear(ada.cookie, 'Lobby', () => one.url)
    await later.heard.reach(2)
    expect([first.heard.items, later.heard.items]).toEqual([
      ['at one', 'at two'],
      ['at one', 'at two'],
    ])
  })

  test('when one is killed its clients go on at the other, and have missed nothing', async () => {
    const { one, two, ada } = await start()
    let at = one
    const { heard, gaps, stream } = hear(ada.cookie, 'Lobby', () => at.url)
    for (const text of ['1', '2', '3']) await ada.say('Lobby', text)
    await heard.reach(3)
    one.kill()
    await one.exited
    for (const text of ['4', '5', '6']) expect(await ada.say('Lobby', text, two.url)).toBe(202)
    expect(heard.items).toHaveLength(3)
    at = two
    await heard.reach(6)
    await ada.say('Lobby', '7', two.url)
    expect(await heard.reach(7)).toEqual(['1', '2', '3', '4', '5', '6', '7'])
    expect([gaps, stream.status]).toEqual([[], expect.objectContaining({ state: 'open', resumed: true })])
  })
})
