import { expect, test } from 'vitest'
import { createEmitter } from 'eventwire/server'
import { missingChromium, openPage } from '../support/chromium.ts'
import { market, price } from '../support/market.ts'
import { serve } from '../support/serve.ts'

/** A page with a plain EventSource, which notes what it hears. */
const PAGE = `<!doctype html><title>plain</title><script>
  heard = []
  source = new EventSource('/events')
  const note = ({ type, data, lastEventId }) => heard.push({ type, data, lastEventId })
  source.onmessage = note
  source.addEventListener('price', note)
  source.addEventListener('$ready', ({ data }) => heard.push({ type: '$ready', resumed: JSON.parse(data).resumed }))
</script>`

interface Heard {
  readonly type: string
  readonly data?: string
  readonly lastEventId?: string
  readonly resumed?: boolean
}

test.skipIf(missingChromium)('a plain EventSource hears the same events, and resumes after a cut though it had heard none', async () => {
  let opened = Promise.withResolvers<void>()
  const emitter = createEmitter(market, { retry: 100, onConnect: () => opened.resolve() })
  const { url, cut } = await serve((request, response) => {
    if (request.url === '/events') emitter.handleNode(request, response)
    else response.setHeader('content-type', 'text/html').end(PAGE)
  })
  // So that the checkpoint is not that of an empty log.
  await emitter.emit('message', 'before it came')
  const page = await openPage(new URL('/', url).href)
  const heard = (): Promise<Heard[]> => page.evaluate('heard')
  const reach = (count: number): Promise<unknown> => page.waitForFunction(`heard.length >= ${count}`)
  await reach(1)
  expect(await heard()).toEqual([{ type: '$ready', resumed: false }])

  opened = Promise.withResolvers()
  cut()
  const missed = await emitter.emit('price', price(1))
  await opened.promise
  const live = await emitter.emit('message', 'two\nlines')
  await reach(4)
  expect((await heard()).slice(1)).toEqual([
    { type: '$ready', resumed: true },
    { type: 'price', data: '{"symbol":"BTC","usd":1}', lastEventId: missed },
    { type: 'message', data: 'two\nlines', lastEventId: live },
  ])
  await page.evaluate('source.close()')
  await emitter.close()
})
