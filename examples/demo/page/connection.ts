import type { EventwireError } from 'eventwire'
import type { Status } from 'eventwire/client'
import { find } from './dom.ts'
import type { Journal } from './journal.ts'
import { plural } from './words.ts'

/** Shows where the connection stands, in the pill and in the journal. */
export function createConnectionView(journal: Journal): (status: Status) => void {
  const word = find('[data-test=state]')
  const detail = find('[data-test=state-detail]')
  let current: Status = { state: 'connecting', attempt: 1 }
  let brokenAt: number | undefined

  const show = (): void => {
    const state = current.state === 'open' && current.resumed ? 'resumed' : current.state
    document.documentElement.dataset['state'] = state
    word.textContent = state
    detail.textContent = detailOf(current)
  }

  setInterval(() => {
    if (current.state === 'connecting' && current.retryAt) show()
  }, 100)

  return (next) => {
    const before = current
    current = next
    show()
    if (next.state === 'connecting' && before.state === 'open') brokenAt = Date.now()
    const entry = entryOf(before, next, brokenAt)
    if (entry) journal.announce(...entry)
  }
}

function detailOf(status: Status): string {
  if (status.state === 'open') return status.resumed ? `${status.replayed ?? 0} replayed` : ''
  if (status.state === 'closed') return 'reload the page to begin anew'
  const wait = status.retryAt ? Math.max(0, status.retryAt - Date.now()) : 0
  return `attempt ${status.attempt}${wait > 0 ? ` in ${(Math.ceil(wait / 100) / 10).toFixed(1)} s` : ''}`
}

function entryOf(before: Status, next: Status, brokenAt: number | undefined): Parameters<Journal['announce']> | undefined {
  if (next.state === 'closed')
    return ['bad', next.reason === 'ended' ? 'The server has ended the stream for good.' : 'The stream is closed for good.']
  if (next.state === 'connecting') {
    if (before.state === 'open') return ['warn', next.error ? 'The connection was cut.' : 'The server ended the connection.']
    return next.retryAt ? ['warn', `Attempt ${next.attempt - 1} failed: ${reasonOf(next.error)}.`] : undefined
  }
  // Open, but how it goes on is not known yet.
  if (next.replayed === undefined) return undefined
  if (brokenAt === undefined) return ['good', 'Connected.']
  const after = `after ${((Date.now() - brokenAt) / 1000).toFixed(1)} s`
  return next.resumed
    ? ['good', `Resumed ${after}, with ${plural(next.replayed, 'event')} replayed.`]
    : ['warn', `Connected again ${after}, but not where it left off.`]
}

function reasonOf(error: EventwireError | undefined): string {
  return error?.status ? `the server answered ${error.status}` : 'the server could not be reached'
}
