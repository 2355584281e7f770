import type { Status } from 'eventwire/client'

/** The one element of this name, or that a selector finds. The page and its script come from one place, so a missing one is a mistake in it. */
export function find<K extends keyof HTMLElementTagNameMap>(tag: K): HTMLElementTagNameMap[K]
export function find(selector: string): HTMLElement
export function find(selector: string): HTMLElement {
  const element = document.querySelector<HTMLElement>(selector)
  if (!element) throw new Error(`The page has no ${selector}.`)
  return element
}

/** Puts a line first in a list, and lets go of what is beyond 50. `kind` is its class. */
export function addLine(list: HTMLElement, text: string, kind = ''): void {
  const line = document.createElement('li')
  line.textContent = text
  line.className = kind
  list.prepend(line)
  while (list.children.length > 50) list.lastElementChild?.remove()
}

/** Shows in `#status` how a stream stands, for as long as it lives. */
export function showStatus(stream: { onStatus(handler: (status: Status) => void): unknown }): void {
  const element = find('#status')
  stream.onStatus((status) => {
    element.dataset['state'] = status.state
    element.textContent = sentenceOf(status)
  })
}

function sentenceOf(status: Status): string {
  if (status.state === 'open') return status.resumed && status.replayed ? `open, ${status.replayed} replayed` : 'open'
  if (status.state === 'closed') return status.error?.message ?? (status.reason === 'ended' ? 'complete' : 'closed')
  if (status.retryAt === undefined) return 'connecting'
  return `connecting again in ${Math.max(1, Math.round((status.retryAt - Date.now()) / 1_000))} s`
}
