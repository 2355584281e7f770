import { expect, test } from 'vitest'
import { missingChromium, openPage } from '../support/chromium.ts'
import { listen, type Listening } from '../support/listen.ts'
import { readyExample } from './support.ts'

/** What was heard, as `event: worker number`. */
const heard = ({ events }: Listening): string[] =>
  events.map(({ event, data }) => {
    const { worker, n } = JSON.parse(data) as { worker: string; n: number }
    return `${event}: ${worker} ${n}`
  })

test('each connection has two workers, whose every third piece of work goes out under their name and the others as the default event', async () => {
  const { url } = await readyExample('workers')
  const stream = await listen(`${url}/hello`)
  const other = await listen(`${url}/hello`)
  await stream.until((so) => heard(so).includes('bar: bar 3'))
  const all = heard(stream)
  expect(all.filter((line) => line.includes(' foo ')).slice(0, 5)).toEqual([
    'message: foo 1',
    'message: foo 2',
    'foo: foo 3',
    'message: foo 4',
    'message: foo 5',
  ])
  expect(all.filter((line) => line.includes(' bar '))).toEqual(['message: bar 1', 'message: bar 2', 'bar: bar 3'])
  // Without an `event:` line, so that `EventSource.onmessage` hears it.
  expect(stream.text).toContain('\n\ndata: {"worker":"foo","n":1}\n\n')
  // Workers of its own: it has counted for itself.
  expect(
    heard(other)
      .filter((line) => line.includes(' foo '))
      .slice(0, 3),
  ).toEqual(['message: foo 1', 'message: foo 2', 'foo: foo 3'])
})

test('the workers of a client that leaves stop, and the log says so; those of others go on', async () => {
  const example = await readyExample('workers')
  const leaving = await listen(`${example.url}/hello`)
  await leaving.until((so) => heard(so).includes('message: foo 1'))
  const staying = await listen(`${example.url}/hello`)
  await staying.until(({ messages }) => messages.length > 0)
  leaving.leave()
  await example.printed('client 1 has left: foo stopped after ')
  await example.printed('client 1 has left: bar stopped after ')
  const before = heard(staying).length
  await staying.until((so) => heard(so).length > before + 1)
  expect(example.output()).not.toContain('client 2 has left')
})

test('the page shows each worker and what came by default, and its workers stop when it leaves', async ({ skip }) => {
  skip(missingChromium !== undefined, missingChromium)
  const example = await readyExample('workers')
  const faults: string[] = []
  const page = await openPage(example.url, faults)
  await page.waitForSelector('#foo li:text("foo 3")')
  expect(await page.locator('#message li').allTextContents()).toEqual(expect.arrayContaining(['foo 1', 'foo 2', 'bar 1']))
  expect(await page.textContent('#status')).toBe('open')
  await page.click('button')
  await example.printed('client 1 has left: foo stopped')
  await example.printed('client 1 has left: bar stopped')
  await page.waitForSelector('#status[data-state=closed]')
  expect(faults).toEqual([])
})
