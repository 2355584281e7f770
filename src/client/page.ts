/**
 * Follows the page's life until the signal aborts. `wake` is called when the network or the page is back; `leave` when the
 * page goes away: with its stream closed it may rest in the browser's back/forward cache, and wake from there.
 * Outside a page nothing happens.
 */
export function watchPage(wake: () => void, leave: () => void, signal: AbortSignal): void {
  const listen = (target: Partial<EventTarget> | undefined, event: string, listener: () => void): void =>
    target?.addEventListener?.(event, listener, { signal })
  listen(globalThis, 'online', wake)
  listen(globalThis, 'pageshow', wake)
  listen(globalThis, 'pagehide', leave)
  listen(globalThis.document, 'visibilitychange', () => {
    if (document.visibilityState === 'visible') wake()
  })
}
