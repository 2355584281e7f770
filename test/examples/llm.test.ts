import type { Page } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { createSubscriber } from 'eventwire/client'
import { events } from '../../examples/llm/events.ts'
import { answerTo } from '../../examples/llm/model.ts'
import { missingChromium, openPage } from '../support/chromium.ts'
import { collector } from '../support/subscribe.ts'
import { readyExample, type Example } from './support.ts'

const PROMPT = 'How does this work?'
const TOKENS = answerTo(PROMPT)
const WHOLE = TOKENS.join('')
const JSON_TYPE = { 'content-type': 'application/json' }

/** Asks by POST; what is heard of the answer. */
function ask({ url }: Example, lastEventId = '') {
  const tokens = collector<string>()
  const ids: string[] = []
  const stream = createSubscriber(events, `${url}/answer`, { headers: JSON_TYPE, body: JSON.stringify({ prompt: PROMPT }), lastEventId })
  onTestFinished(() => stream.close())
  let total: number | undefined
  stream.on('done', (done) => void (total = done.tokens))
  stream.on('token', (token, { id }) => {
    ids.push(id)
    tokens.take(token)
  })
  return { stream, tokens, ids, total: () => total }
}

async function askInPage(page: Page): Promise<void> {
  await page.fill('form input', PROMPT)
  await page.press('form input', 'Enter')
}

/** Waits until the last answer on the page has so many characters; gives what there is then. */
async function written(page: Page, length: number): Promise<string> {
  const handle = await page.waitForFunction((least) => {
    const text = document.querySelector('li:last-child .answer')?.textContent ?? ''
    return text.length >= least && text
  }, length)
  return String(await handle.jsonValue())
}

const outcome = (page: Page): Promise<string | null> => page.locator('li:last-child .outcome:not(:empty)').textContent()

test('the tokens come one by one, numbered, and then the answer is complete', async () => {
  const example = await readyExample('llm')
  const { stream, tokens, ids, total } = ask(example)
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(tokens.items).toEqual(TOKENS)
  expect(ids).toEqual(TOKENS.map((_, i) => String(i + 1)))
  expect(total()).toBe(TOKENS.length)
  await example.printed(`answer 1: complete after token ${TOKENS.length}`)
})

test('a client that was cut brings its last token, and hears those behind it', async () => {
  const { stream, tokens } = ask(await readyExample('llm'), '100')
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect(tokens.items).toEqual(TOKENS.slice(100))
})

test.each(['-3', '1.5', 'Infinity', '1e3', 'x'])(
  'who brings %s, which numbers no token, hears the answer from the first',
  async (lastEventId) => {
    const { stream, tokens, ids } = ask(await readyExample('llm'), lastEventId)
    await tokens.reach(2)
    stream.close()
    expect([tokens.items.slice(0, 2), ids.slice(0, 2)]).toEqual([TOKENS.slice(0, 2), ['1', '2']])
  },
)

test('who brings more than the answer has is told that it is complete, and how long it is', async () => {
  const { stream, tokens, total } = ask(await readyExample('llm'), '99999')
  expect(await stream.closed).toEqual({ reason: 'ended' })
  expect([tokens.items, total()]).toEqual([[], TOKENS.length])
})

test('when the client closes the stream, the generator stops', async () => {
  const example = await readyExample('llm')
  const { stream, tokens } = ask(example)
  await tokens.reach(5)
  stream.close()
  await example.printed('answer 1: stopped after token ')
  expect(example.output()).not.toContain('complete')
})

test('what is no question is refused before there is a stream', async () => {
  const example = await readyExample('llm')
  const post = (body: string, headers: Record<string, string> = JSON_TYPE): Promise<Response> =>
    fetch(`${example.url}/answer`, { method: 'POST', headers, body })
  const cases: [number, () => Promise<Response>][] = [
    [422, () => post('{}')],
    [422, () => post('null')],
    [422, () => post('{"prompt":" "}')],
    [422, () => post(JSON.stringify({ prompt: 'x'.repeat(501) }))],
    [400, () => post('{"prompt":')],
    [415, () => post(JSON.stringify({ prompt: PROMPT }), { 'content-type': 'text/plain' })],
    [413, () => post(JSON.stringify({ prompt: 'x'.repeat(20_000) }))],
    [405, () => fetch(`${example.url}/answer`)],
  ]
  for (const [status, send] of cases) expect((await send()).status).toBe(status)
  expect(example.output()).not.toContain('answer 1')
})

test.skipIf(missingChromium)('in the page the answer grows, and is whole', async () => {
  const example = await readyExample('llm')
  const faults: string[] = []
  const page = await openPage(example.url, faults)
  await askInPage(page)
  for (const part of [0.15, 0.4, 0.65]) {
    const text = await written(page, Math.round(WHOLE.length * part))
    expect(WHOLE.startsWith(text)).toBe(true)
    expect(text.length).toBeLessThan(WHOLE.length)
  }
  expect(await outcome(page)).toMatch(/^\d+ tokens$/)
  expect(await page.textContent('.answer')).toBe(WHOLE)
  expect(faults).toEqual([])
})

test.skipIf(missingChromium)('the stop button stops the generator, and what was stopped stays so after a reload', async () => {
  const example = await readyExample('llm')
  const page = await openPage(example.url)
  await askInPage(page)
  await written(page, 50)
  await page.click('#stop')
  await example.printed('answer 1: stopped after token ')
  const said = await outcome(page)
  const text = await page.textContent('.answer')
  expect(said).toMatch(/^stopped after \d+ tokens$/)
  await page.reload()
  expect([await outcome(page), await page.textContent('.answer')]).toEqual([said, text])

  await askInPage(page)
  await written(page, 50)
  expect(example.output().match(/answer \d+: (begins|goes on)/g)).toEqual(['answer 1: begins', 'answer 2: begins'])
})

test.skipIf(missingChromium)('reloads in mid-answer give exactly the whole answer, once', async () => {
  const example = await readyExample('llm')
  const faults: string[] = []
  const page = await openPage(example.url, faults)
  await askInPage(page)
  for (const [i, part] of [0.15, 0.45].entries()) {
    const before = await written(page, Math.round(WHOLE.length * part))
    await page.reload()
    expect((await written(page, before.length)).startsWith(before)).toBe(true)
    await example.printed(`answer ${i + 2}: goes on after token `)
  }
  expect(await outcome(page)).toMatch(/^\d+ tokens$/)
  expect(await page.locator('.answer').allTextContents()).toEqual([WHOLE])
  expect(await page.locator('.question').allTextContents()).toEqual([PROMPT])
  expect(faults).toEqual([])
})
