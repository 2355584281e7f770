// Runs in a page, or in a worker of one: subscribes to its server's stream, and notes what happens.
import { createSubscriber, localCursor, sessionCursor, type CursorStore, type Subscriber, type Unvalidated } from 'eventwire/client'
import type { Market } from '../../support/market.ts'

/** What is done, as the address says it. */
export interface Doing {
  /** Where the subscriber lives. Default: in the page. */
  readonly worker?: 'dedicated' | 'service'
  /** Where its cursor is kept. Default: nowhere. */
  readonly cursor?: 'session' | 'local' | 'database'
  readonly commit?: 'handled' | 'received'
  /** The message whose handler does not finish, the first time that it comes. */
  readonly hold?: string
  /** The least wait between attempts, in ms. Waits are as long as they get. Default: the shortest. */
  readonly base?: number
  /** How many attempts in a row may fail. Default: any number. */
  readonly attempts?: number
}

/** Something that has happened. */
export interface Note {
  readonly what: 'message' | 'status' | 'gap' | 'error' | 'saved' | PageEvent
  /** The time, as `Date` has it. */
  readonly at: number
  /** The text of a message or an error; the state that a status has. */
  readonly text?: string | undefined
  readonly code?: string | undefined
  readonly attempt?: number | undefined
  readonly retryAt?: number | undefined
  readonly resumed?: boolean | undefined
  readonly replayed?: number | undefined
  /** Whether the page comes from, or may go to, the back/forward cache. */
  readonly persisted?: boolean | undefined
}

type PageEvent = 'online' | 'offline' | 'pageshow' | 'pagehide' | 'hidden' | 'visible' | 'freeze' | 'resume'

const KEPT = 'notes'
const page = typeof document === 'undefined' ? undefined : document
const search = decodeURIComponent(location.search.slice(1))
const doing = search ? (JSON.parse(search) as Doing) : undefined
/** What a worker tells its page, and it the worker. */
const channel = page && !doing?.worker ? undefined : new BroadcastChannel('life')
// They live as long as the tab.
const notes: Note[] = page ? (JSON.parse(sessionStorage.getItem(KEPT) ?? '[]') as Note[]) : []
const waiting: (() => void)[] = []
let stream: Subscriber<Unvalidated<Market>> | undefined

/** What a test may do in the page. */
const life = {
  notes,
  /** Resolves with the last of them once what has these details was noted so many times. */
  noted: (details: Partial<Note>, times: number): Promise<Note> =>
    new Promise((resolve) => {
      const fits = (it: Note): boolean => Object.entries(details).every(([name, value]) => it[name as keyof Note] === value)
      waiting.push(() => {
        const last = notes.filter(fits)[times - 1]
        if (last) resolve(last)
      })
      look()
    }),
  /** Writes to this page's storage for good until there is no room in it. */
  fill(): void {
    for (let size = 1 << 22; size >= 1; size >>= 1) {
      try {
        for (let i = 0; ; i++) localStorage.setItem(`${size} ${i}`, 'x'.repeat(size))
      } catch {
        // The next is smaller.
      }
    }
  },
  open,
  close(): void {
    stream?.close()
    post('close')
  },
}

declare global {
  interface Window {
    life: typeof life
  }
}

if (page) {
  Object.assign(globalThis, { life })
  channel?.addEventListener('message', ({ data }) => note(data as Note))
  watch(page)
} else {
  channel?.addEventListener('message', () => stream?.close())
}
if (page && doing?.worker) void startWorker(doing.worker)
else if (doing) open(doing)

function open({ cursor, commit, hold, base = 1, attempts }: Doing): void {
  if (base > 1) Math.random = () => 1 - Number.EPSILON
  const stores = { session: sessionCursor, local: localCursor, database: databaseCursor }
  stream = createSubscriber<Market>('/events', {
    backoff: { base, attempts },
    commit,
    cursor: cursor && stores[cursor]('the cursor'),
  })
  stream.onStatus(({ state, ...status }) => {
    const { error, ...rest } = { error: undefined, ...status }
    note({ what: 'status', text: state, code: error?.code, ...rest })
  })
  stream.onGap(({ reason }) => note({ what: 'gap', text: reason }))
  stream.onError(({ code, message }) => note({ what: 'error', text: message, code }))
  stream.on('message', (text) => {
    note({ what: 'message', text })
    const first = notes.filter((it) => it.what === 'message' && it.text === text).length === 1
    return text === hold && first ? new Promise(() => {}) : undefined
  })
}

function note(what: Omit<Note, 'at'>): void {
  const whole = { at: Date.now(), ...what }
  notes.push(whole)
  if (page) sessionStorage.setItem(KEPT, JSON.stringify(notes))
  else post(whole)
  look()
}

function post(message: Note | 'close'): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows; a channel has its own
  channel?.postMessage(message)
}

function look(): void {
  for (const test of waiting) test()
}

function watch(document: Document): void {
  for (const what of ['online', 'offline'] as const) addEventListener(what, () => note({ what }))
  for (const what of ['pageshow', 'pagehide'] as const) addEventListener(what, ({ persisted }) => note({ what, persisted }))
  for (const what of ['freeze', 'resume'] as const) document.addEventListener(what, () => note({ what }))
  document.addEventListener('visibilitychange', () => note({ what: document.visibilityState }))
}

async function startWorker(kind: NonNullable<Doing['worker']>): Promise<void> {
  const script = `/page.js${location.search}`
  if (kind === 'dedicated')
    new Worker(script, { type: 'module' }).addEventListener('error', ({ message }) => note({ what: 'error', text: message }))
  else await navigator.serviceWorker.register(script, { type: 'module' })
}

/** A cursor in a database, as an application may write one. */
function databaseCursor(key: string): CursorStore {
  const asked = <T>(request: IDBRequest<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      request.addEventListener('success', () => resolve(request.result))
      request.addEventListener('error', () => reject(request.error ?? new Error('The database says no.')))
    })
  const table = async (mode: IDBTransactionMode): Promise<IDBObjectStore> => {
    const opening = indexedDB.open('cursors')
    opening.addEventListener('upgradeneeded', () => opening.result.createObjectStore('cursors'))
    return (await asked(opening)).transaction('cursors', mode).objectStore('cursors')
  }
  return {
    load: async () => asked<string | undefined>((await table('readonly')).get(key)),
    async save(cursor) {
      await asked((await table('readwrite')).put(cursor, key))
      note({ what: 'saved', text: cursor })
    },
  }
}
