import { describe, expect, onTestFinished, test } from 'vitest'
import type { EventwireError } from 'eventwire'
import { createEmitter, publishHandler, streamEvents, type CorsOptions } from 'eventwire/server'
import { ASKS, type Ask } from '../support/ask.ts'
import { caught } from '../support/caught.ts'
import { missingChromium, openPage } from '../support/chromium.ts'
import { market } from '../support/market.ts'
import { serve } from '../support/serve.ts'

const APP = 'https://app.example'
const EVIL = 'https://evil.example'

/** How a page that asks for permission first asks. */
function preflight(origin: string, method: string, headers = 'last-event-id'): RequestInit {
  return { method: 'OPTIONS', headers: { origin, 'access-control-request-method': method, 'access-control-request-headers': headers } }
}

/** The headers of a response that speak of CORS, and `vary`. */
function corsOf({ headers }: Response): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => name === 'vary' || name.startsWith('access-control-')))
}

/** A function of the application that is broken. */
function fail(): never {
  throw new Error('the password is hunter2')
}

/** What takes `cors`, how it is asked, and the methods that it allows. */
const KINDS = {
  createEmitter: {
    make: (cors: CorsOptions | undefined, onError: (error: EventwireError) => void = () => {}) => {
      const emitter = createEmitter(market, { cors, onError })
      onTestFinished(() => emitter.close())
      return emitter
    },
    init: {},
    status: 200,
    methods: 'GET',
  },
  streamEvents: {
    make: (cors: CorsOptions | undefined, onError: (error: EventwireError) => void = () => {}) => {
      const streams = streamEvents(market, { cors, onError }, () => [])
      onTestFinished(() => streams.close())
      return streams
    },
    init: { method: 'POST' },
    status: 200,
    methods: 'GET, POST',
  },
  publishHandler: {
    make: (cors: CorsOptions | undefined, onError: (error: EventwireError) => void = () => {}) =>
      publishHandler(createEmitter(market), { cors, onError, authorize: () => true }),
    init: { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"event":"message","data":"x"}' },
    status: 202,
    methods: 'POST',
  },
} as const

describe.each(Object.entries(KINDS))('%s', (_kind, { make, init, status, methods }) => {
  describe.each(ASKS)('%s', (_, asking) => {
    const open = (cors: CorsOptions | undefined, onError?: (error: EventwireError) => void): Promise<Ask> => asking(make(cors, onError))

    /** Asks as a page of `origin` does, and reads what comes. */
    async function from(ask: Ask, origin: string | undefined, more: RequestInit = init): Promise<Response> {
      const leaving = new AbortController()
      onTestFinished(() => leaving.abort())
      const headers = new Headers(more.headers)
      if (origin !== undefined) headers.set('origin', origin)
      return ask({ ...more, headers, signal: leaving.signal })
    }

    test('without cors no page of another origin is told anything, and preflights are 405', async () => {
      const ask = await open(undefined)
      const response = await from(ask, APP)
      expect([response.status, corsOf(response)]).toEqual([status, {}])
      const asked = await ask(preflight(APP, 'GET'))
      expect([asked.status, corsOf(asked)]).toEqual([405, {}])
      expect(asked.headers.get('allow')).not.toBe(null)
    })

    test(`'*' lets every page read, without credentials`, async () => {
      const ask = await open({ origins: '*' })
      for (const origin of [APP, EVIL, 'null', undefined]) {
        const response = await from(ask, origin)
        expect(response.status).toBe(status)
        expect(corsOf(response)).toEqual({ 'access-control-allow-origin': '*', 'access-control-expose-headers': 'Retry-After' })
      }
      const asked = await ask(preflight(EVIL, 'GET'))
      expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([204, '*'])
    })

    test('a list lets its pages read, and caches keep the answers apart', async () => {
      const ask = await open({ origins: [APP, 'http://localhost:3000'] })
      for (const origin of [APP, 'http://localhost:3000']) {
        expect(corsOf(await from(ask, origin))).toEqual({
          vary: 'Origin',
          'access-control-allow-origin': origin,
          'access-control-expose-headers': 'Retry-After',
        })
      }
      for (const origin of [
        EVIL,
        'null',
        `${APP}.evil.example`,
        'http://app.example',
        `${APP}:8443`,
        `${APP}/`,
        `${APP}, ${EVIL}`,
        undefined,
      ]) {
        const response = await from(ask, origin)
        expect([response.status, corsOf(response)]).toEqual([status, { vary: 'Origin' }])
      }
    })

    test('refusals can be read by the pages that are let in', async () => {
      const ask = await open({ origins: [APP], credentials: true })
      const refused = await from(ask, APP, { method: 'PUT' })
      expect(refused.status).toBe(405)
      expect(corsOf(refused)).toEqual({
        vary: 'Origin',
        'access-control-allow-origin': APP,
        'access-control-allow-credentials': 'true',
        'access-control-expose-headers': 'Retry-After',
      })
      expect(corsOf(await from(ask, EVIL, { method: 'PUT' }))).toEqual({ vary: 'Origin' })
      expect(corsOf(await from(ask, undefined, { method: 'PUT' }))).toEqual({ vary: 'Origin' })
    })

    test('credentials are for the pages that are let in only', async () => {
      const ask = await open({ origins: [APP], credentials: true })
      expect((await from(ask, APP)).headers.get('access-control-allow-credentials')).toBe('true')
      expect((await from(ask, EVIL)).headers.get('access-control-allow-credentials')).toBe(null)
      expect((await ask(preflight(APP, 'GET'))).headers.get('access-control-allow-credentials')).toBe('true')
      expect((await ask(preflight(EVIL, 'GET'))).headers.get('access-control-allow-credentials')).toBe(null)
    })

    test('a function decides for each page', async () => {
      const ask = await open({ origins: (origin) => /^https:\/\/[\w-]+\.example$/.test(origin) && origin !== EVIL })
      expect(corsOf(await from(ask, APP))).toMatchObject({ vary: 'Origin', 'access-control-allow-origin': APP })
      expect(corsOf(await from(ask, EVIL))).toEqual({ vary: 'Origin' })
      expect(corsOf(await from(ask, undefined))).toEqual({ vary: 'Origin' })
    })

    test.each<[string, () => unknown]>([
      ['1', () => 1],
      ['a text', () => APP],
      ['an object', () => ({})],
      ['nothing', () => undefined],
    ])('a function that gives %s lets nobody in', async (_name, origins) => {
      const ask = await open({ origins: origins as () => boolean, credentials: true })
      const response = await from(ask, APP)
      expect([response.status, corsOf(response)]).toEqual([status, { vary: 'Origin' }])
      expect((await ask(preflight(APP, 'GET'))).status).toBe(403)
    })

    test.each<[string, () => unknown]>([
      ['throws', fail],
      ['gives a promise of true', () => Promise.resolve(true)],
      ['gives a promise that rejects', () => Promise.reject(new Error('the password is hunter2'))],
    ])('a function that %s lets nobody in, and onError hears which function it was', async (_name, origins) => {
      const errors: EventwireError[] = []
      const ask = await open({ origins: origins as () => boolean, credentials: true }, (error) => void errors.push(error))
      for (const asked of [init, preflight(APP, 'GET')]) {
        const response = await from(ask, APP, asked)
        expect([response.status, corsOf(response)]).toEqual([500, { vary: 'Origin' }])
        expect(await response.text()).not.toContain('hunter2')
      }
      const told = { code: 'hook-failed', message: expect.stringContaining('cors.origins') as string }
      expect(errors).toMatchObject([told, told])
      // Who brings no origin is not asked about.
      expect((await from(ask, undefined)).status).toBe(status)
    })

    test('a preflight is answered with what pages may send', async () => {
      const ask = await open({ origins: [APP], headers: ['X-Trace'] })
      const response = await ask(preflight(APP, 'GET', 'last-event-id, x-trace'))
      expect([response.status, await response.text()]).toEqual([204, ''])
      expect(corsOf(response)).toEqual({
        vary: 'Origin',
        'access-control-allow-origin': APP,
        'access-control-expose-headers': 'Retry-After',
        'access-control-allow-methods': methods,
        'access-control-allow-headers': 'Authorization, Content-Type, Last-Event-ID, X-Trace',
        'access-control-max-age': '7200',
      })
    })

    test('a preflight of a page that is not let in is 403', async () => {
      const ask = await open({ origins: [APP] })
      const response = await ask(preflight(EVIL, 'GET'))
      expect([response.status, corsOf(response)]).toEqual([403, { vary: 'Origin' }])
    })

    test('OPTIONS that is no preflight is 405', async () => {
      const ask = await open({ origins: [APP] })
      const response = await ask({ method: 'OPTIONS', headers: { origin: APP } })
      expect(response.status).toBe(405)
      expect(response.headers.get('allow')).not.toBe(null)
      expect(corsOf(response)).toMatchObject({ vary: 'Origin', 'access-control-allow-origin': APP })
    })
  })

  test.each<[string, unknown]>([
    ['an origin with a path', ['https://a.example/']],
    ['a host alone', ['a.example']],
    ['null', ['null']],
    ['nothing', ['']],
    ['a star in the list', ['*']],
    ['a star for a part', ['https://*.example']],
    ['its usual port', ['https://a.example:443']],
    ['capitals', ['https://A.example']],
    ['a newline', ['https://a.example\r\nx: y']],
    ['spaces', [' https://a.example']],
    ['a user', ['https://ada@a.example']],
    ['an origin outside the list', 'https://a.example'],
    ['a pattern', /example/],
    ['no origins', undefined],
    ['true', true],
    ['a number', [1]],
  ])('origins: %s is refused, and named', (_name, origins) => {
    const { code, message } = caught(() => make({ origins } as CorsOptions))
    expect([code, message]).toEqual(['invalid-option', expect.stringContaining('cors.origins')])
    if (Array.isArray(origins)) expect(message).toContain(JSON.stringify(origins[0]))
  })

  test(`credentials with '*' are refused`, () => {
    const { code, message } = caught(() => make({ origins: '*', credentials: true }))
    expect([code, message]).toEqual(['invalid-option', expect.stringContaining('credentials')])
  })

  test.each(['', 'x y', 'x\r\nset-cookie: a', 'x:y', 'x,y', 'ü'])('%j is refused as the name of a header', (name) => {
    const { code, message } = caught(() => make({ origins: [APP], headers: [name] }))
    expect([code, message]).toEqual(['invalid-option', expect.stringContaining(JSON.stringify(name))])
  })
})

test.each(ASKS)(`%s, a Response of connect keeps its cookies and its own Vary`, async (_, asking) => {
  const emitter = createEmitter(market, {
    cors: { origins: [APP], credentials: true },
    connect() {
      const headers = new Headers({ vary: 'Cookie', 'access-control-allow-origin': '*' })
      headers.append('set-cookie', 'a=1')
      headers.append('set-cookie', 'b=2')
      return new Response('Who are you?', { status: 401, headers })
    },
  })
  const ask = await asking(emitter)
  const response = await ask({ headers: { origin: APP } })
  expect(response.status).toBe(401)
  expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
  expect(response.headers.get('vary')?.split(', ').sort()).toEqual(['Cookie', 'Origin'])
  expect(response.headers.get('access-control-allow-origin')).toBe(APP)
})

/** A page in Chromium, and what makes streams of other origins. */
async function openTab(): Promise<{
  readonly origin: string
  /** Serves an emitter that speaks all the time, on an origin of its own. */
  stream(cors: CorsOptions | undefined): Promise<StreamOfTab>
}> {
  const { url: address } = await serve((_request, response) => void response.setHeader('content-type', 'text/html').end('<!doctype html>'))
  const tab = await openPage(address)
  return {
    origin: new URL(address).origin,
    async stream(cors) {
      const requests: StreamOfTab['requests'] = []
      const emitter = createEmitter(market, { cors, onError() {}, onConnect: (connection) => void connection.send('message', 'hello') })
      onTestFinished(() => emitter.close())
      const { url } = await serve((request, response) => {
        requests.push([request.method ?? '', request.headers.cookie])
        emitter.handleNode(request, response)
      })
      await tab.context().addCookies([{ name: 'user', value: 'ada', url }])
      const run = (script: string): Promise<unknown> => tab.evaluate(`((url) => ${script})(${JSON.stringify(url)})`)
      return {
        requests,
        source: (init) =>
          run(`new Promise((resolve) => {
            const source = new EventSource(url, ${init})
            const done = (result) => { source.close(); resolve(result) }
            source.onmessage = ({ data }) => done(data)
            source.onerror = () => source.readyState === 2 && done('failed')
          })`),
        fetch: (init) =>
          run(`fetch(url, ${init}).then(
            async (response) => {
              const { value } = await response.body.getReader().read()
              return response.status + ' ' + new TextDecoder().decode(value)
            },
            () => 'failed',
          )`),
      }
    },
  }
}

interface StreamOfTab {
  /** Methods and cookies. */
  readonly requests: (readonly [method: string, cookie: string | undefined])[]
  /** What an EventSource of the page hears first, or that it failed. */
  source(init: string): Promise<unknown>
  /** How a fetch of the page is answered, or that it failed. */
  fetch(init: string): Promise<unknown>
}

const RESUME = `headers: { 'Last-Event-ID': 'zzz-1' }`

test.skipIf(missingChromium)(
  'in Chromium, pages that are let in read the stream of another origin, and send cookies if they may',
  async () => {
    const { origin, stream } = await openTab()
    for (const origins of ['*', [origin]] as const) {
      const { source, fetch: ask, requests } = await stream({ origins })
      expect(await source('{}')).toBe('hello')
      // No credentials were granted, so nothing is read with them.
      expect(await source('{ withCredentials: true }')).toBe('failed')
      expect(await ask('{}')).toMatch(/^200 /)
      expect(await ask(`{ ${RESUME} }`)).toContain('"requested":"zzz-1"')
      expect(requests.map(([method]) => method)).toEqual(['GET', 'GET', 'GET', 'OPTIONS', 'GET'])
      expect(requests[0]![1]).toBe(undefined)
    }

    const { source, fetch: ask, requests } = await stream({ origins: [origin], credentials: true })
    expect(await source('{}')).toBe('hello')
    expect(await source('{ withCredentials: true }')).toBe('hello')
    expect(await ask(`{ credentials: 'include', ${RESUME} }`)).toContain('"requested":"zzz-1"')
    expect(requests).toEqual([
      ['GET', undefined],
      ['GET', 'user=ada'],
      ['OPTIONS', undefined],
      ['GET', 'user=ada'],
    ])
  },
)

test.skipIf(missingChromium)('in Chromium, pages that are not let in read nothing', async () => {
  const { stream } = await openTab()
  for (const cors of [undefined, { origins: [APP], credentials: true }, { origins: fail, credentials: true }]) {
    const { source, fetch: ask } = await stream(cors)
    expect(await source('{}')).toBe('failed')
    expect(await source('{ withCredentials: true }')).toBe('failed')
    expect(await ask('{}')).toBe('failed')
    expect(await ask(`{ ${RESUME} }`)).toBe('failed')
  }
})
