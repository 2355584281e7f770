import { expect, test } from 'vitest'
import { createSubscriber } from 'eventwire/client'
import { events } from '../../examples/crypto-price/events.ts'
import { missingChromium, openPage } from '../support/chromium.ts'
import { listen } from '../support/listen.ts'
import { dial, head } from '../support/raw.ts'
import { readyExample } from './support.ts'

test('a price comes at once, and then one a second, each as the contract has it', async () => {
  const { url } = await readyExample('crypto-price')
  const stream = createSubscriber(events, `${url}/prices`)
  const prices = []
  for await (const { data } of stream.events('price')) {
    prices.push(data)
    if (prices.length === 4) break
  }
  stream.close()
  for (const [i, { symbol, usd, at }] of prices.entries()) {
    expect([symbol, usd > 0]).toEqual(['BTC', true])
    // A timer may fire a millisecond early by the other clock, and late at any time.
    if (i > 0) expect(at - prices[i - 1]!.at).toBeGreaterThanOrEqual(990)
  }
})

test('the generator stops when its client goes, and the log says so; those of others go on', async () => {
  const example = await readyExample('crypto-price')
  const leaving = await listen(`${example.url}/prices`)
  await leaving.until(({ events: prices }) => prices.length > 0)
  const staying = await listen(`${example.url}/prices`)
  await staying.until(({ events: prices }) => prices.length > 0)
  leaving.leave()
  await example.printed('client 1: prices stop after ')
  const before = staying.events.length
  await staying.until(({ events: prices }) => prices.length > before + 1)
  expect(example.output()).not.toContain('client 2: prices stop')
  expect(example.output().split('client 1: ').length).toBe(3)
})

test('a client whose connection breaks before it has read anything stops its generator, too', async () => {
  const example = await readyExample('crypto-price')
  const client = await dial(example.port)
  client.write(head('GET /prices', 'host: x'))
  await example.printed('client 1: prices start')
  client.socket.resetAndDestroy()
  await example.printed('client 1: prices stop after ')
})

test('the page plots the prices, says when the server is away, and goes on when it is back', async ({ skip }) => {
  skip(missingChromium !== undefined, missingChromium)
  const first = await readyExample('crypto-price')
  const page = await openPage(first.url)
  await page.waitForFunction(() => document.querySelector('.line')?.getAttribute('points')?.split(' ').length === 3)
  expect(await page.textContent('#price')).toMatch(/^\$6\d,\d{3}$/)
  expect(await page.textContent('#symbol')).toBe('BTC in USD')
  expect(await page.textContent('#status')).toBe('open')
  // The newest price is at the right edge, the one before a second to the left.
  const points = (await page.getAttribute('.line', 'points'))!.split(' ').map((point) => point.split(',').map(Number))
  expect(points.at(-1)![0]).toBe(60)
  expect(points.at(-2)![0]).toBeLessThanOrEqual(59.02)
  for (const [, y] of points) expect(y! >= 0 && y! <= 100).toBe(true)

  first.kill()
  await first.exited
  await page.waitForSelector('#status:text("connecting")')
  const second = await readyExample('crypto-price', { port: first.port })
  await page.waitForSelector('#status:text-is("open")')
  await page.close()
  await second.printed('client 1: prices stop')
})
