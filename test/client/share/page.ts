import { createSubscriber, sessionCursor, tabs, type Gap, type Status, type Subscriber } from 'eventwire/client'
import { market, type Market } from '../../support/market.ts'

/** What a tab is to do. */
export interface Wish {
  readonly url: string
  /** Gives the url as a function does. */
  readonly asked?: boolean | undefined
  /** Default: the url. */
  readonly name?: string | undefined
  /** Keeps its cursor in the session storage under this key. */
  readonly cursor?: string | undefined
  readonly lastEventId?: string | undefined
  /** How many events may wait to be handled. */
  readonly queue?: number | undefined
  readonly overflow?: 'pause' | 'error' | undefined
  /** The browser has no Web Locks. */
  readonly lockless?: boolean | undefined
  /** Its handler finishes with no event before it is told to. */
  readonly held?: boolean | undefined
}

/** What a tab notes. An error is its code. */
export interface Notes {
  readonly usd: number[]
  readonly ids: string[]
  /** The numbers that it had heard when it was told of a gap. */
  readonly gaps: (Gap & { readonly after: number | undefined })[]
  readonly statuses: { readonly state: string; readonly resumed?: boolean | undefined; readonly error?: string | undefined }[]
  readonly errors: {
    readonly code: string
    readonly message: string
    readonly status?: number | undefined
    readonly body?: string | undefined
  }[]
}

/** The script of a page, as tests call it. */
interface TabScript {
  readonly notes: Notes
  readonly lastEventId: string
  readonly closed: Promise<string> | undefined
  begin(wish: Wish): void
  /** Waits until the notes say so. */
  until(test: (notes: Notes) => boolean): Promise<void>
  /** Lets the handler finish with what it holds, and hold no more. */
  release(): void
  close(): void
  /** Keeps the page from doing anything else. */
  block(ms: number): void
  /** What this tab says of the stream's end reaches the others so much later. */
  delayLastWord(ms: number): void
}

declare global {
  interface Window {
    tab: TabScript
  }
}

const notes: Notes = { usd: [], ids: [], gaps: [], statuses: [], errors: [] }
const waiting = new Set<() => void>()
const released = Promise.withResolvers<void>()
let stream: Subscriber<Market> | undefined

function note<K extends keyof Notes>(kind: K, ...what: Notes[K]): void {
  ;(notes[kind] as unknown[]).push(...what)
  for (const look of waiting) look()
}

function begin({ url, asked, name, cursor, lastEventId, queue, overflow, lockless, held }: Wish): void {
  if (lockless) Object.defineProperty(navigator, 'locks', { value: undefined })
  stream = createSubscriber(market, asked ? () => url : url, {
    share: tabs({ name }),
    cursor: cursor === undefined ? undefined : sessionCursor(cursor),
    lastEventId,
    overflow,
    limits: { queue },
    backoff: { base: 250, max: 250 },
  })
  stream.onStatus((status: Status) => {
    const { state, resumed, error } = { resumed: undefined, error: undefined, ...status }
    note('statuses', { state, resumed, error: error?.code })
  })
  stream.onGap((gap) => note('gaps', { ...gap, after: notes.usd.at(-1) }))
  stream.onError(({ code, message, status, body }) => note('errors', { code, message, status, body }))
  stream.on('price', async ({ usd }, { id }) => {
    note('usd', usd)
    note('ids', id)
    if (held) await released.promise
  })
}

window.tab = {
  notes,
  begin,
  get lastEventId() {
    return stream?.lastEventId ?? ''
  },
  get closed() {
    return stream?.closed.then(({ reason, error }) => (error ? `${reason}: ${error.code}` : reason))
  },
  until(test) {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!test(notes)) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
    })
  },
  release: () => released.resolve(),
  close: () => stream?.close(),
  block(ms) {
    const until = performance.now() + ms
    while (performance.now() < until);
  },
  delayLastWord(ms) {
    const { prototype } = BroadcastChannel
    const { postMessage } = prototype
    prototype.postMessage = function (message) {
      if (!JSON.stringify(message).includes('"closed":')) return postMessage.call(this, message)
      // Its own may be closed by then.
      const channel = new BroadcastChannel(this.name)
      setTimeout(() => postMessage.call(channel, message), ms)
    }
  },
}
