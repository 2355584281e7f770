/** What follows the life of a page. */
export interface PageWatch {
  /** The network or the page is back. */
  readonly wake: () => void
  /** The page goes away, or is frozen: its streams would starve, and keep it out of the browser's back/forward cache. */
  readonly leave: () => void
  /** Ends it. */
  readonly signal: AbortSignal
}

/** Follows the life of the page, where there is one. */
export function watchPage({ wake, leave, signal }: PageWatch): void {
  const listen = (target: Partial<EventTarget> | undefined, event: string, listener: () => void): void =>
    target?.addEventListener?.(event, listener, { signal })
  const { document } = globalThis
  listen(globalThis, 'online', wake)
  listen(globalThis, 'pageshow', wake)
  listen(globalThis, 'pagehide', leave)
  listen(document, 'resume', wake)
  listen(document, 'freeze', leave)
  listen(document, 'visibilitychange', () => {
    if (document.visibilityState === 'visible') wake()
  })
}
