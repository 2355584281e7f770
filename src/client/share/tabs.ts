import { EventwireError } from '../../errors.ts'
import { backoff } from '../backoff.ts'
import { hookFailed } from '../errors.ts'
import { Recent } from './recent.ts'
import type { Share, Stream } from '../reconnect.ts'
import { createFeed } from './feed.ts'
import { takePart, type Part } from './part.ts'
import type { Tab } from './tab.ts'
import type { Closed } from '../status.ts'

/** Options of {@link tabs}. */
export interface TabsOptions {
  /**
   * Subscribers of the same name share one connection, so they have to ask for the same stream, as the same user.
   * Default: the url. Where that is a function, or there is a body, a name has to be given; otherwise the subscriber closes
   * with `invalid-option`.
   */
  name?: string | undefined
}

/**
 * Shares one connection among the tabs of an origin, `createSubscriber(contract, url, { share: tabs() })`: one of them
 * connects and the others hear from it every event, status and gap. When it goes, or hangs, the next one resumes.
 *
 * Without Web Locks or BroadcastChannel the subscriber connects by itself: outside of browsers, and on pages that are not
 * served over HTTPS.
 */
export function tabs({ name }: TabsOptions = {}): Share {
  return async (stream, connectAlone) => {
    if (!(await canShare())) return connectAlone(stream)
    const shared = name ?? nameOf(stream)
    return shared ? share(stream, connectAlone, shared) : { reason: 'fatal', error: unnamed() }
  }
}

async function share(stream: Stream, connectAlone: Parameters<Share>[1], name: string): Promise<Closed> {
  await load(stream)
  const { promise: closed, resolve: close } = Promise.withResolvers<Closed>()
  const recent = new Recent()
  const feed = createFeed({ stream, recent, connectAlone, onMove: () => part?.onMove(), onEnd: close })
  const tab: Tab = { id: Math.random().toString(36).slice(2), stream, connectAlone, recent, feed, term: 0, joined: false }
  const over = new AbortController()
  let part: Part | undefined

  const come = (): void => {
    // The number is that of the messages: tabs that were loaded before they changed keep to themselves.
    if (!recent.over) part ??= takePart(tab, `eventwire/1 ${name}`)
  }
  const leave = (): void => {
    part?.leave()
    part = undefined
  }
  const listen = (target: Partial<EventTarget> | undefined, event: string, listener: () => void): void =>
    target?.addEventListener?.(event, listener, { signal: over.signal })
  // With a lock or a channel a page may not rest in the back/forward cache; and one that is frozen must not lead.
  listen(globalThis, 'pagehide', leave)
  listen(globalThis, 'pageshow', come)
  listen(globalThis.document, 'freeze', leave)
  listen(globalThis.document, 'resume', come)
  const abort = (): void => close({ reason: 'aborted' })
  listen(stream.signal, 'abort', abort)
  if (stream.signal.aborted) abort()
  else come()

  const end = await closed
  over.abort()
  leave()
  feed.stop()
  return end
}

/** Whether there may be tabs to share with. */
async function canShare(): Promise<boolean> {
  // Other runtimes have locks and channels too, but no origin: there, those who ask for the same url need not be one user.
  if (typeof location === 'undefined' || typeof BroadcastChannel === 'undefined' || !globalThis.navigator?.locks) return false
  try {
    await navigator.locks.query()
    return true
  } catch {
    // A sandboxed frame has no origin.
    return false
  }
}

function nameOf({ url, options }: Stream): string | undefined {
  if (typeof url === 'function' || options.body !== undefined) return undefined
  // What is no url is found out when it is asked for.
  return URL.canParse(url, location.href) ? new URL(url, location.href).href : String(url)
}

function unnamed(): EventwireError {
  return new EventwireError(
    'invalid-option',
    'share: where the url is a function, or there is a body, tabs({ name }) has to say which subscribers share a stream.',
  )
}

/** Asks the store for its cursor, until it has one to give. */
async function load(stream: Stream): Promise<void> {
  const { position, settings, signal } = stream
  for (let attempt = 1; !signal.aborted; attempt++) {
    try {
      return await position.load()
    } catch (cause) {
      const { base, max } = settings
      const delay = backoff({ failures: attempt, base, max, random: Math.random() })
      stream.onStatus({ state: 'connecting', attempt: attempt + 1, retryAt: Date.now() + delay, error: hookFailed('cursor.load', cause) })
      await new Promise((resolve) => setTimeout(resolve, delay))
    }
  }
}
