import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { CDPSession } from 'playwright-core'
import { missingChromium } from '../support/chromium.ts'
import { listen, type Listening } from '../support/listen.ts'
import type { Doing } from './support/life.ts'
import { serveSite, type Tab } from './support/tab.ts'
import { openWindow, type BrowserWindow } from './support/window.ts'

/** A wait between attempts that nobody here waits for, in ms. */
const LONG = 60_000

const OPEN = { what: 'status', text: 'open' } as const

describe.skipIf(missingChromium)('in a page', () => {
  let browser: BrowserWindow

  beforeAll(async () => {
    browser = await openWindow()
  })
  afterAll(() => browser.close())

  test('while there is no network attempts fail and waits grow; its return ends the wait at once, and nothing is lost', async () => {
    const { emitter, connected, cut, open } = await serveSite(browser.context)
    const tab = await open({ base: 400 })
    await tab.noted({ ...OPEN, resumed: false })
    await emitter.emit('message', 'before')
    await tab.noted({ what: 'message' })

    onTestFinished(() => browser.context.setOffline(false))
    await browser.context.setOffline(true)
    await tab.noted({ what: 'offline' })
    // The browser refuses new connections, and leaves those alone that there are.
    cut()
    await connected(0)
    await emitter.emit('message', 'during')
    const last = await tab.noted({ what: 'status', attempt: 4 })
    await browser.context.setOffline(false)
    await tab.noted({ ...OPEN, resumed: true })
    await emitter.emit('message', 'after')
    await tab.noted({ what: 'message', text: 'after' })

    expect(await tab.messages()).toEqual(['before', 'during', 'after'])
    const waits = (await tab.notes('status')).flatMap(({ at, retryAt }) => (retryAt ? [Math.round((retryAt - at) / 100) * 100] : []))
    expect(waits).toEqual([800, 800, 1_600, 3_200])
    const [online, attempt] = await after(tab, 'online')
    expect(attempt).toMatchObject({ what: 'status', text: 'connecting', attempt: 4 })
    expect(attempt!.retryAt).toBeUndefined()
    expect(last.retryAt! - online!.at).toBeGreaterThan(1_000)
    expect(attempt!.at - online!.at).toBeLessThan(1_000)
  })

  test('a tab that waits for another attempt waits on when it is hidden, and no more when it is seen again', async () => {
    const { emitter, connected, cut, open } = await serveSite(browser.context)
    const tab = await open({ base: LONG })
    await tab.noted({ ...OPEN, resumed: false })
    cut()
    const { retryAt } = await tab.noted({ what: 'status', attempt: 2 })
    await open()
    await tab.noted({ what: 'hidden' })
    await emitter.emit('message', 'meanwhile')
    await connected(0)

    await tab.page.bringToFront()
    await tab.noted({ what: 'message', text: 'meanwhile' })
    const [visible, attempt] = await after(tab, 'visible')
    expect(attempt).toMatchObject({ what: 'status', text: 'connecting', attempt: 2 })
    expect(attempt!.retryAt).toBeUndefined()
    expect(retryAt! - visible!.at).toBeGreaterThan(LONG / 2)
    expect(await tab.notes('gap')).toEqual([])
  })

  test.each(['is open', 'waits for another attempt', 'is asked for'])(
    'a page that is left while its stream %s comes back out of the back/forward cache, and resumes',
    async (moment) => {
      let requests = 0
      const held = Promise.withResolvers<void>()
      const asked = Promise.withResolvers<void>()
      onTestFinished(() => held.resolve())
      const { emitter, connected, cut, open, address } = await serveSite(browser.context, {
        heartbeat: LONG,
        async connect() {
          requests++
          if (moment !== 'is asked for' || requests !== 2) return {}
          asked.resolve()
          await held.promise
          return {}
        },
      })
      const tab = await open({ base: moment === 'waits for another attempt' ? LONG : 250 })
      await tab.noted({ ...OPEN, resumed: false })
      await emitter.emit('message', 'before')
      await tab.noted({ what: 'message' })
      if (moment !== 'is open') cut()
      if (moment === 'waits for another attempt') await tab.noted({ what: 'status', text: 'connecting', code: 'network' })
      if (moment === 'is asked for') await asked.promise

      await tab.page.goto(address())
      await connected(0)
      for (const text of ['away 1', 'away 2']) await emitter.emit('message', text)
      await tab.page.goBack({ waitUntil: 'commit' })
      expect(await tab.page.evaluate(whyNotRestored)).toBeNull()
      await tab.noted({ what: 'pageshow', persisted: true })
      await tab.noted({ ...OPEN, resumed: true, replayed: 2 })
      await emitter.emit('message', 'after')
      await tab.noted({ what: 'message', text: 'after' })
      expect(await tab.messages()).toEqual(['before', 'away 1', 'away 2', 'after'])
      expect([await tab.notes('gap'), await tab.notes('error')]).toEqual([[], []])
    },
  )

  test.each<[string, Doing]>([
    ['no proxy is suspected', {}],
    ['it is no failed attempt', { attempts: 1 }],
  ])('however often and soon a page is left, %s', async (_, doing) => {
    const { connected, open, address } = await serveSite(browser.context, { heartbeat: LONG })
    const tab = await open(doing)
    await tab.noted({ ...OPEN, resumed: false })
    for (let times = 1; times <= 4; times++) {
      await tab.page.goto(address())
      await connected(0)
      await tab.page.goBack({ waitUntil: 'commit' })
      await tab.noted({ what: 'pageshow', persisted: true }, times)
      await Promise.race([tab.noted({ ...OPEN, resumed: true }, times), tab.noted({ what: 'error' })])
      expect(await tab.notes('error')).toEqual([])
    }
  })

  test('a page that is frozen closes its stream, and has lost nothing when it wakes after more than three heartbeats', async () => {
    const { emitter, url, connected, open } = await serveSite(browser.context, { heartbeat: 400 })
    const tab = await open({})
    await tab.noted({ ...OPEN, resumed: false })
    await emitter.emit('message', 'before')
    await tab.noted({ what: 'message' })
    await open()
    await tab.noted({ what: 'hidden' })

    const witness = await listen(url)
    await connected(2)
    await tab.devtools.send('Page.setWebLifecycleState', { state: 'frozen' })
    // The witness stays.
    await connected(1)
    const beatsOf = ({ text }: Listening): number => text.split('\n:\n\n').length - 1
    const begun = beatsOf(witness)
    for (let beats = 1; beats <= 5; beats++) {
      await emitter.emit('message', `frozen ${beats}`)
      await witness.until((it) => beatsOf(it) >= begun + beats)
    }
    await tab.devtools.send('Page.setWebLifecycleState', { state: 'active' })
    await tab.noted({ what: 'resume' })
    await emitter.emit('message', 'after')
    await tab.page.bringToFront()
    await tab.noted({ what: 'message', text: 'after' })

    expect(await tab.messages()).toEqual(['before', ...[1, 2, 3, 4, 5].map((beat) => `frozen ${beat}`), 'after'])
    expect(await tab.notes('gap')).toEqual([])
    const [, next] = (await after(tab, 'freeze')).filter(({ what }) => what !== 'status')
    expect(next!.what).toBe('resume')
  })

  describe('sessionCursor', () => {
    test('a page that is reloaded while events come hears each of them once', async () => {
      const { emitter, open } = await serveSite(browser.context)
      const tab = await open({ cursor: 'session' })
      await tab.noted({ ...OPEN, resumed: false })
      const emitted: string[] = []
      const publishing = setInterval(() => {
        emitted.push(String(emitted.length))
        void emitter.emit('message', emitted.at(-1)!)
      }, 5)
      onTestFinished(() => clearInterval(publishing))
      for (let reloads = 1; reloads <= 5; reloads++) {
        await tab.noted({ what: 'message', text: String(emitted.length + 5) })
        await tab.page.reload()
        await tab.noted({ ...OPEN, resumed: true }, reloads)
      }
      clearInterval(publishing)
      await tab.noted({ what: 'message', text: emitted.at(-1)! })
      expect(await tab.messages()).toEqual(emitted)
      expect(await tab.notes('gap')).toEqual([])
    })

    test.each([
      ['comes again', 'handled', ['1', '2', '2', '3', '4']],
      ['does not come again', 'received', ['1', '2', '4']],
    ] as const)('what a page had not finished with when it was reloaded %s with commit %j', async (_, commit, heard) => {
      const { emitter, open } = await serveSite(browser.context)
      const tab = await open({ cursor: 'session', commit, hold: '2' })
      await tab.noted({ ...OPEN, resumed: false })
      // In one write, which the page reads as a whole.
      for (const text of ['1', '2', '3']) void emitter.emit('message', text)
      await tab.noted({ what: 'message', text: '2' })
      await tab.page.reload()
      await tab.noted({ ...OPEN, resumed: true })
      await emitter.emit('message', '4')
      await tab.noted({ what: 'message', text: '4' })
      expect(await tab.messages()).toEqual(heard)
      expect(await tab.notes('gap')).toEqual([])
    })

    test('two tabs have cursors of their own', async () => {
      const { emitter, open } = await serveSite(browser.context)
      const one = await open({ cursor: 'session', hold: '2' })
      await one.noted({ ...OPEN, resumed: false })
      for (const text of ['1', '2']) await emitter.emit('message', text)
      await one.noted({ what: 'message', text: '2' })
      const two = await open({ cursor: 'session' })
      await two.noted({ ...OPEN, resumed: false })
      await emitter.emit('message', '3')
      await two.noted({ what: 'message', text: '3' })
      for (const tab of [one, two]) {
        await tab.page.reload()
        await tab.noted({ ...OPEN, resumed: true })
      }
      await emitter.emit('message', '4')
      for (const tab of [one, two]) await tab.noted({ what: 'message', text: '4' })
      expect([await one.messages(), await two.messages()]).toEqual([
        ['1', '2', '2', '3', '4'],
        ['3', '4'],
      ])
    })
  })

  test('localCursor survives the tab: the next one goes on where it was closed', async () => {
    const { emitter, connected, open } = await serveSite(browser.context)
    const one = await open({ cursor: 'local' })
    await one.noted({ ...OPEN, resumed: false })
    for (const text of ['1', '2']) await emitter.emit('message', text)
    await one.noted({ what: 'message', text: '2' })
    await one.page.close()
    await connected(0)
    await emitter.emit('message', '3')
    const two = await open({ cursor: 'local' })
    await two.noted({ ...OPEN, resumed: true, replayed: 1 })
    await emitter.emit('message', '4')
    await two.noted({ what: 'message', text: '4' })
    expect(await two.messages()).toEqual(['3', '4'])
  })

  test('a cursor store of an application may be a database', async () => {
    const { emitter, connected, open } = await serveSite(browser.context)
    const tab = await open({ cursor: 'database' })
    await tab.noted({ ...OPEN, resumed: false })
    await emitter.emit('message', '1')
    const id = await emitter.emit('message', '2')
    await tab.noted({ what: 'saved', text: id })
    await tab.page.goto('about:blank')
    await connected(0)
    await emitter.emit('message', '3')
    const other = await open({ cursor: 'database' })
    await other.noted({ ...OPEN, resumed: true, replayed: 1 })
    await other.noted({ what: 'message', text: '3' })
    expect(await other.messages()).toEqual(['3'])
  })

  test('storage with no room left is reported, and the stream goes on', async () => {
    const { emitter, open } = await serveSite(browser.context)
    const tab = await open()
    await tab.page.evaluate(() => window.life.fill())
    await tab.page.evaluate(() => window.life.open({ cursor: 'local' }))
    await tab.noted({ ...OPEN, resumed: false })
    for (const text of ['1', '2']) await emitter.emit('message', text)
    await tab.noted({ what: 'message', text: '2' })
    const error = await tab.noted({ what: 'error' })
    expect(error).toMatchObject({ code: 'hook-failed', text: expect.stringContaining('cursor.save') as string })
    expect(await tab.messages()).toEqual(['1', '2'])
    expect((await tab.notes('status')).at(-1)).toMatchObject({ text: 'open' })
  })

  test.each<[string, (tab: Tab) => Promise<unknown>]>([
    ['is left for another one', ({ page }) => page.goto('about:blank')],
    ['is closed', ({ page }) => page.close()],
    ['closes its subscriber', ({ page }) => page.evaluate(() => window.life.close())],
  ])('a page that %s closes its connection at once', async (_, leave) => {
    const { connected, open } = await serveSite(browser.context, { heartbeat: LONG })
    const tab = await open({})
    await tab.noted({ ...OPEN, resumed: false })
    await leave(tab)
    await connected(0)
  })

  test('a subscriber that was closed has left no listeners', async () => {
    const { connected, open } = await serveSite(browser.context)
    const { page, noted, devtools } = await open()
    const before = await listeners(devtools)
    await page.evaluate(() => window.life.open({}))
    await noted({ ...OPEN, resumed: false })
    expect(await listeners(devtools)).toEqual([...before, 'freeze', 'online', 'pagehide', 'pageshow', 'resume', 'visibilitychange'].sort())
    await page.evaluate(() => window.life.close())
    await connected(0)
    expect(await listeners(devtools)).toEqual(before)
  })

  test.each(['dedicated', 'service'] as const)('a %s worker, which has no document, subscribes and resumes', async (worker) => {
    const { emitter, connected, cut, open } = await serveSite(browser.context)
    const tab = await open({ worker })
    await tab.noted({ ...OPEN, resumed: false })
    await emitter.emit('message', 'before')
    await tab.noted({ what: 'message' })
    cut()
    await connected(0)
    await emitter.emit('message', 'during')
    await tab.noted({ ...OPEN, resumed: true })
    await emitter.emit('message', 'after')
    await tab.noted({ what: 'message', text: 'after' })
    expect(await tab.messages()).toEqual(['before', 'during', 'after'])
    await tab.page.evaluate(() => window.life.close())
    await connected(0)
  })
})

/** What was noted from the last such event on. */
async function after(tab: Tab, what: 'online' | 'visible' | 'freeze'): Promise<Awaited<ReturnType<Tab['notes']>>> {
  const notes = await tab.notes()
  return notes.slice(notes.findLastIndex((note) => note.what === what))
}

/** What kept the page out of the back/forward cache; null when nothing did. */
function whyNotRestored(): unknown {
  const [navigation] = performance.getEntriesByType('navigation') as (PerformanceEntry & { readonly notRestoredReasons?: unknown })[]
  return JSON.parse(JSON.stringify(navigation?.notRestoredReasons ?? null))
}

/** The names of the events that the page listens for, on its window and its document. */
async function listeners(devtools: CDPSession): Promise<string[]> {
  const names = await Promise.all(
    ['window', 'document'].map(async (expression) => {
      const { result } = await devtools.send('Runtime.evaluate', { expression })
      const found = await devtools.send('DOMDebugger.getEventListeners', { objectId: result.objectId! })
      return found.listeners.map(({ type }) => type)
    }),
  )
  return names.flat().sort()
}
