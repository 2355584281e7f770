import { setTimeout } from 'node:timers/promises'
import { afterAll, expect, test } from 'vitest'
import { tabs as sharing } from 'eventwire/client'
import { memoryLog } from 'eventwire/server'
import { missingChromium } from '../../support/chromium.ts'
import { serveEmitter } from '../../support/emitter.ts'
import { price } from '../../support/market.ts'
import { seeded } from '../../support/random.ts'
import { subscribe } from '../../support/subscribe.ts'
import { openSite, quitBrowser, type Refusal, type Site, type Tab } from './tabs.ts'

const browser = test.skipIf(missingChromium)
afterAll(quitBrowser)

/** What ends a leadership. */
const ENDS: Readonly<Record<string, (tab: Tab) => Promise<unknown>>> = {
  'is closed': (tab) => tab.page.close(),
  'leaves the page': (tab) => tab.page.goto('about:blank'),
  crashes: async (tab) => void (await tab.cdp()).send('Page.crash').catch(() => {}),
  'closes its subscriber': (tab) => tab.page.evaluate(() => window.tab.close()),
}

function numbers(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}

/** A tab has heard the numbers from `first` to `last`, without loss and without repetition. */
async function expectExact(tab: Tab, first: number, last: number): Promise<void> {
  await tab.hears(last)
  const { usd, gaps } = await tab.notes()
  expect({ tab: tab.name, heard: ranges(usd), gaps }).toEqual({ tab: tab.name, heard: `${first}-${last}`, gaps: [] })
}

/** Numbers as what is without a hole and without repetition: `1-20 22-30`. */
function ranges(usd: readonly number[]): string {
  const starts = usd.flatMap((number, i) => (number === usd[i - 1]! + 1 ? [] : [i]))
  return starts.map((start, i) => `${usd[start]}-${usd[(starts[i + 1] ?? usd.length) - 1]}`).join(' ')
}

/** Waits until another tab connects; gives it, and after how many ms that was. */
async function takeover(site: Site, tabs: readonly Tab[], end: (leader: Tab) => Promise<unknown>): Promise<{ next: Tab; after: number }> {
  const made = site.made.length
  const leader = tabs.find(({ name }) => name === site.made.at(-1)!.tab)!
  const since = performance.now()
  const ended = end(leader)
  await site.until(() => site.made.length > made)
  const { tab, at } = site.made[made]!
  if (process.env['TAKEOVERS']) console.log(`takeover after ${Math.round(at - since)} ms by ${tab}`)
  await ended
  return { next: tabs.find(({ name }) => name === tab)!, after: at - since }
}

browser('eight tabs over HTTP/1.1 are on one connection, and each hears every event, in order', async () => {
  const site = await openSite()
  const tabs = await site.openAll(numbers(1, 8).map(String))
  for (const usd of numbers(1, 50)) await site.emitter.emit('price', price(usd))
  for (const tab of tabs) await expectExact(tab, 1, 50)
  expect([site.made.length, site.connections.size]).toEqual([1, 1])
})

browser.for(Object.keys(ENDS))(
  'when the tab that leads %s, another one leads within two seconds, and nobody misses anything',
  async (way) => {
    const site = await openSite()
    const tabs = await site.openAll(['a', 'b', 'c'])
    const stop = site.publish()
    for (const tab of tabs) await tab.hears(20)
    const { next, after } = await takeover(site, tabs, ENDS[way]!)
    const seen = (await next.notes()).usd.at(-1)!
    await next.hears(seen + 50)
    const last = stop()
    for (const tab of tabs.slice(1)) await expectExact(tab, 1, last)
    expect(after).toBeLessThan(2_000)
  },
)

browser('a tab that is frozen lets another one lead, and catches up when it thaws', async () => {
  const site = await openSite()
  const tabs = await site.openAll(['a', 'b', 'c'])
  const [a] = tabs
  const stop = site.publish()
  for (const tab of tabs) await tab.hears(20)
  const cdp = await a!.cdp()
  const { next, after } = await takeover(site, tabs, () => cdp.send('Page.setWebLifecycleState', { state: 'frozen' }))
  const seen = (await next.notes()).usd.at(-1)!
  await next.hears(seen + 200)
  await cdp.send('Page.setWebLifecycleState', { state: 'active' })
  await a!.hears(seen + 210)
  const last = stop()
  for (const tab of tabs) await expectExact(tab, 1, last)
  expect(after).toBeLessThan(2_000)
})

browser('a tab that hangs is led by another one, and catches up when it is back', async () => {
  const site = await openSite()
  const tabs = await site.openAll(['a', 'b', 'c'])
  const [a] = tabs
  const stop = site.publish()
  for (const tab of tabs) await tab.hears(20)
  const { next, after } = await takeover(site, tabs, () => a!.page.evaluate(() => window.tab.block(4_000)))
  const seen = (await next.notes()).usd.at(-1)!
  await next.hears(seen + 50)
  const last = stop()
  for (const tab of tabs) await expectExact(tab, 1, last)
  expect(after).toBeLessThan(2_000)
  await site.until(() => site.connections.size === 1)
})

browser('without sharing, a seventh stream over HTTP/1.1 waits for one of the others to end, and so does all else', async () => {
  const site = await openSite()
  const { page } = await site.open('a')
  await page.evaluate(() => Array.from({ length: 7 }, (_, i) => void new EventSource(`/events?tab=${i}`)))
  await site.until(() => site.connections.size === 6)
  const asked = page.evaluate(async () => (await fetch('/other', { signal: AbortSignal.timeout(500) })).text())
  await expect(asked).rejects.toThrow('TimeoutError')
  expect(site.made).toHaveLength(6)
})

browser('tabs share by url, where they give no name', async () => {
  const site = await openSite()
  const tabs = await site.openAll(['a', 'b'], { name: undefined, url: '/events' })
  const [other] = await site.openAll(['c'], { name: undefined, url: '/events?topic=x' })
  await site.emitter.emit('price', price(1))
  for (const tab of [...tabs, other!]) await expectExact(tab, 1, 1)
  expect(site.made).toHaveLength(2)
})

browser('every tab hears of cuts and of gaps, and has the cursor', async () => {
  const log = memoryLog()
  const site = await openSite({ log })
  const tabs = await site.openAll(['a', 'b', 'c'])
  await site.emitter.emit('price', price(1))
  for (const tab of tabs) await tab.hears(1)
  site.cut()
  for (const tab of tabs) await tab.until(({ statuses }) => statuses.at(-1)!.resumed === true)
  await site.emitter.emit('price', price(2))
  log.clear()
  const id = await site.emitter.emit('price', price(3))
  for (const tab of tabs) {
    await tab.hears(3)
    const { usd, gaps, statuses } = await tab.notes()
    expect(usd).toEqual([1, 2, 3])
    expect(gaps).toMatchObject([{ reason: 'epoch', after: 2 }])
    expect(statuses.slice(-3).map(({ state }) => state)).toEqual(['connecting', 'open', 'open'])
    expect(await tab.page.evaluate(() => window.tab.lastEventId)).toBe(id)
  }
  expect(site.made.map(({ tab }) => tab)).toEqual(['a', 'a'])
})

browser('a tab that comes later hears what is new from then on', async () => {
  const site = await openSite()
  const [a] = await site.openAll(['a'])
  for (const usd of [1, 2]) await site.emitter.emit('price', price(usd))
  await a!.hears(2)
  const [b] = await site.openAll(['b'])
  await site.emitter.emit('price', price(3))
  await expectExact(a!, 1, 3)
  await expectExact(b!, 3, 3)
  const { statuses } = await b!.notes()
  expect(statuses.at(-1)).toMatchObject({ state: 'open', resumed: false })
})

browser.for(['leads', 'follows'])('a tab that %s is reloaded and goes on where it left off', async (which) => {
  const site = await openSite()
  const tabs = await site.openAll(['a', 'b'], { cursor: 'cursor' })
  const [tab, other] = which === 'leads' ? tabs : tabs.toReversed()
  const stop = site.publish()
  await tab!.hears(20)
  const before = await tab!.page.evaluate(async () => {
    window.tab.close()
    await window.tab.closed
    return window.tab.notes.usd
  })
  await tab!.page.reload()
  await other!.hears(before.at(-1)! + 50)
  await tab!.begin({ cursor: 'cursor' })
  await tab!.hears(before.at(-1)! + 100)
  const last = stop()
  expect(ranges(before)).toBe(`1-${before.at(-1)}`)
  await expectExact(tab!, before.at(-1)! + 1, last)
  await expectExact(other!, 1, last)
  const { statuses } = await tab!.notes()
  expect(statuses.find(({ resumed }) => resumed !== undefined)).toMatchObject({ resumed: true })
  expect(site.made.map(({ tab: name }) => name)).toEqual(which === 'leads' ? ['a', 'b'] : ['a'])
})

browser('a tab that was away for longer than the others remember connects until it has caught up', async () => {
  const site = await openSite()
  const [a, b] = await site.openAll(['a', 'b'], { cursor: 'cursor' })
  await site.emitter.emit('price', price(1))
  await b!.hears(1)
  await b!.page.reload()
  for (const usd of numbers(2, 3_000)) await site.emitter.emit('price', price(usd))
  await a!.hears(3_000)
  await b!.begin({ cursor: 'cursor' })
  await expectExact(b!, 2, 3_000)
  await site.until(() => site.connections.size === 1)
  await site.emitter.emit('price', price(3_001))
  await expectExact(a!, 1, 3_001)
  await expectExact(b!, 2, 3_001)
  expect(site.made.map(({ tab }) => tab)).toEqual(['a', 'b'])
})

browser('a slow tab delays no other, and loses nothing that the others remember', async () => {
  const site = await openSite()
  const [a] = await site.openAll(['a'])
  const [b] = await site.openAll(['b'], { held: true, queue: 10 })
  for (const usd of numbers(1, 800)) await site.emitter.emit('price', price(usd))
  await expectExact(a!, 1, 800)
  await b!.page.evaluate(() => window.tab.release())
  await expectExact(b!, 1, 800)
})

browser.for(['leads', 'follows'])('a tab that %s is so slow that it hears of a gap, and others of nothing', async (which) => {
  const site = await openSite()
  const slow = { held: true, queue: 10 }
  const [a] = await site.openAll(['a'], which === 'leads' ? slow : {})
  const [b] = await site.openAll(['b'], which === 'leads' ? {} : slow)
  const [tab, other] = which === 'leads' ? [a!, b!] : [b!, a!]
  for (const usd of numbers(1, 3_000)) await site.emitter.emit('price', price(usd))
  await expectExact(other, 1, 3_000)
  await tab.page.evaluate(() => window.tab.release())
  await tab.hears(3_000)
  const { usd, ids, gaps } = await tab.notes()
  const after = usd.indexOf(gaps[0]!.after!)
  expect(gaps).toMatchObject([{ reason: 'overflow', requested: ids[after], oldest: ids[after + 1] }])
  expect(ranges(usd)).toBe(`1-${usd[after]} ${usd[after + 1]}-3000`)
  expect(site.made).toHaveLength(1)
})

browser('where all tabs are slow, the one that leads reads no faster than the fastest, which loses nothing', async () => {
  const site = await openSite()
  const tabs = await site.openAll(['a', 'b'], { held: true, queue: 10 })
  for (const usd of numbers(1, 1_500)) await site.emitter.emit('price', price(usd, 'x'.repeat(32_000)))
  // How much the browser itself takes on the way differs from run to run, so the server need not see it.
  await standstill(() => site.emitter.stats().lag)
  for (const tab of tabs) await tab.page.evaluate(() => window.tab.release())
  for (const tab of tabs) await tab.hears(1_500)
  expect(ranges((await tabs[0]!.notes()).usd)).toBe('1-1500')
})

browser.for([
  ['ends it', { status: 204 }, 'ended', []],
  ['refuses it', { status: 404, body: 'gone' }, 'fatal: bad-status', [{ code: 'bad-status', status: 404, body: 'gone' }]],
] as const)('when the server %s the stream is over in every tab', async ([, answer, closed, errors]) => {
  let refusal: Refusal | undefined
  const site = await openSite({}, () => refusal)
  const tabs = await site.openAll(['a', 'b', 'c'])
  await site.emitter.emit('price', price(1))
  for (const tab of tabs) await tab.hears(1)
  refusal = answer
  site.cut()
  for (const tab of tabs) {
    expect(await tab.page.evaluate(() => window.tab.closed)).toBe(closed)
    expect((await tab.notes()).errors).toMatchObject(errors)
  }
  expect(site.made.map(({ tab }) => tab)).toEqual(['a', 'a'])
})

browser('the stream is over in every tab also when the last word of the tab that leads is late', async () => {
  let refusal: Refusal | undefined
  const site = await openSite({}, () => refusal)
  const tabs = await site.openAll(['a', 'b', 'c'])
  await site.emitter.emit('price', price(1))
  for (const tab of tabs) await tab.hears(1)
  // In front, so that its timers are on time.
  await tabs[0]!.page.bringToFront()
  await tabs[0]!.page.evaluate(() => window.tab.delayLastWord(50)) // by then the next one leads, and has said so
  refusal = { status: 204 }
  site.cut()
  for (const tab of tabs) expect(await tab.page.evaluate(() => window.tab.closed)).toBe('ended')
  expect(site.made.map(({ tab }) => tab)).toEqual(['a', 'a'])
})

browser.for(['comes to the front', 'is opened'])(
  'while the tab that leads waits for its next attempt, one that %s makes it',
  async (which) => {
    let refusal: Refusal | undefined
    const site = await openSite({}, () => refusal)
    const [, b, c] = await site.openAll(['a', 'b', 'c'])
    refusal = { status: 503, headers: { 'retry-after': '60' } }
    site.cut()
    await b!.until(({ statuses }) => statuses.at(-1)!.error === 'bad-status')
    refusal = undefined
    if (which === 'is opened') await site.openAll(['d'])
    else await b!.page.bringToFront()
    await c!.until(({ statuses }) => statuses.at(-1)!.resumed === true)
    expect(site.made.map(({ tab }) => tab)).toEqual(['a', 'a', which === 'is opened' ? 'd' : 'b'])
  },
)

browser('a tab that comes back from the back/forward cache has missed nothing', async () => {
  const site = await openSite()
  const [a, b] = await site.openAll(['a', 'b'])
  const stop = site.publish()
  await a!.hears(20)
  await a!.page.goto(`${site.origin}other`)
  const seen = (await b!.notes()).usd.at(-1)!
  await b!.hears(seen + 50)
  await a!.page.goBack({ waitUntil: 'commit' })
  await a!.hears(seen + 100)
  const last = stop()
  await expectExact(a!, 1, last)
  await expectExact(b!, 1, last)
  await site.until(() => site.connections.size === 1)
})

browser('where there are no Web Locks, each tab connects by itself', async () => {
  const site = await openSite()
  const tabs = await site.openAll(['a', 'b'], { lockless: true })
  await site.emitter.emit('price', price(1))
  for (const tab of tabs) await expectExact(tab, 1, 1)
  expect(site.made.map(({ tab }) => tab)).toEqual(['a', 'b'])
})

test('outside of browsers each subscriber connects by itself: those who ask for the same need not be the same user', async () => {
  const { url, connected } = await serveEmitter()
  for (const share of [sharing(), sharing()]) subscribe(url, { share }).stream.on('price', () => {})
  await connected(2)
})

browser('where the url is a function, a name has to say what is shared', async () => {
  const site = await openSite()
  const tab = await site.open('a')
  await tab.begin({ name: undefined, asked: true })
  expect(await tab.page.evaluate(() => window.tab.closed)).toBe('fatal: invalid-option')
  expect((await tab.notes()).errors[0]!.message).toContain('tabs({ name })')
})

/** What becomes of tabs: gives when that is over, and whether the tab lives. */
const FATES: readonly ((tab: Tab, ms: number) => Promise<boolean>)[] = [
  async (tab) => {
    await ENDS['is closed']!(tab)
    return false
  },
  async (tab) => {
    await ENDS['crashes']!(tab)
    return false
  },
  async (tab, ms) => {
    await tab.page.evaluate((it) => window.tab.block(it), ms)
    return true
  },
  async (tab, ms) => {
    const cdp = await tab.cdp()
    await cdp.send('Page.setWebLifecycleState', { state: 'frozen' })
    await setTimeout(ms)
    await cdp.send('Page.setWebLifecycleState', { state: 'active' })
    return true
  },
]

browser('whatever becomes of tabs, those that live hear everything once', async () => {
  const random = seeded(7)
  const site = await openSite()
  const tabs = new Set(await site.openAll(['a', 'b', 'c', 'd']))
  const busy = new Map<Tab, Promise<void>>()
  const stop = site.publish()
  for (const round of numbers(1, 12)) {
    const leader = [...tabs].find(({ name }) => name === site.made.at(-1)!.tab)
    const idle = [...tabs].filter((tab) => !busy.has(tab))
    const tab = leader && !busy.has(leader) && random() < 0.6 ? leader : idle[Math.floor(random() * idle.length)]
    const fate = FATES[Math.floor(random() * FATES.length)]!
    const end = async (it: Tab): Promise<void> => {
      if (!(await fate(it, 500 + 2_000 * random()))) tabs.delete(it)
      busy.delete(it)
    }
    if (tab && tabs.size > 2) busy.set(tab, end(tab))
    else if (random() < 0.5) site.cut()
    if (tabs.size - busy.size < 2) {
      const [next] = await site.openAll([`late ${round}`])
      tabs.add(next!)
    }
    await setTimeout(300 + 700 * random())
  }
  await Promise.all(busy.values())
  const last = stop()
  for (const tab of tabs) await expectExact(tab, (await tab.notes()).usd[0]!, last)
  await site.until(() => site.connections.size === 1)
})

/** Looks until a number has been the same for half a second. */
async function standstill(look: () => number): Promise<void> {
  for (let still = 0, before = -1; ; before = look()) {
    still = look() === before ? still + 1 : 0
    if (still === 10) return
    await setTimeout(50)
  }
}
