import { createSubscriber } from 'eventwire/client'
import { events } from './events.ts'
import { createCharts } from './page/charts.ts'
import { createConnectionView } from './page/connection.ts'
import { createControls } from './page/controls.ts'
import { find } from './page/dom.ts'
import { createJournal } from './page/journal.ts'
import { createMessages } from './page/messages.ts'
import { createTally, type Verdict } from './page/tally.ts'
import { plural } from './page/words.ts'

const COUNTS = ['received', 'replayed', 'gaps', 'lost', 'undeclared', 'repeated'] as const

/** Redraws the charts while no sample does, in ms. */
const REDRAW = 500

const page = crypto.randomUUID()
const journal = createJournal()
const tally = createTally()
const charts = createCharts()
const showConnection = createConnectionView(journal)
const showMessage = createMessages()
createControls(page, journal)
let scheduled = false
let updated = 0

// Patience is for servers in trouble; here somebody watches.
const stream = createSubscriber(events, `/events?page=${page}`, { backoff: { base: 500, max: 2_000 } })

stream.onStatus((status) => {
  if (status.state === 'open' && status.replayed !== undefined) tally.replay(status.replayed)
  showConnection(status)
  showCounts()
})

stream.onGap(({ reason }) => {
  tally.gap()
  journal.announce('warn', `The stream declares a gap, reason: ${reason}.`)
  showCounts()
})

stream.onError((error) => journal.announce('bad', error.message))

stream.on('metrics', (metrics) => {
  const replayed = tally.event()
  const verdict = tally.sample(metrics.n, metrics.startedAt)
  noteVerdict(verdict)
  charts.add(metrics, replayed, verdict)
  scheduleUpdate()
})

stream.on('message', (text) => {
  const replayed = tally.event()
  showMessage(text, replayed)
  journal.note('note', `Message${replayed ? ', replayed' : ''}: ${text}`)
  scheduleUpdate()
})

function noteVerdict({ lost, declared, repeated, restarted }: Verdict): void {
  if (repeated) journal.announce('bad', 'A sample came twice, or out of order.')
  if (restarted) journal.announce('warn', 'The server is a new process. What the old one sent last cannot be counted.')
  if (lost > 0 && declared) journal.announce('warn', `${plural(lost, 'sample')} lost, as the gap said.`)
  if (lost > 0 && !declared) journal.announce('bad', `${plural(lost, 'sample')} lost, and no gap said so.`)
  if (lost === 0 && declared && !restarted) journal.announce('good', 'Nothing was lost in this gap.')
}

// Events that are replayed arrive in one burst; they are drawn once.
function scheduleUpdate(): void {
  if (scheduled) return
  scheduled = true
  requestAnimationFrame(() => {
    scheduled = false
    updated = performance.now()
    charts.draw(stream.status.state === 'open')
    showCounts()
  })
}

function showCounts(): void {
  for (const name of COUNTS) {
    const count = find(`[data-test=${name}]`)
    count.textContent = String(tally[name])
    count.classList.toggle('some', tally[name] > 0)
  }
  const cursor = stream.lastEventId
  find('[data-test=cursor]').textContent = cursor || 'none yet'
  // For the eye only: to a program a cursor is opaque.
  find('[data-test=epoch]').textContent = cursor.slice(0, cursor.lastIndexOf('-')) || 'none yet'
  const verdict = find('[data-test=verdict]')
  const [level, sentence] = judge()
  verdict.dataset['level'] = level
  verdict.textContent = sentence
}

function judge(): [level: 'calm' | 'good' | 'warn' | 'bad', sentence: string] {
  const { received, lost, undeclared, repeated, restarts } = tally
  if (received === 0) return ['calm', 'Waiting for the first sample.']
  if (undeclared + repeated > 0) return ['bad', 'The promise is broken: samples are missing or repeated, and nothing said so.']
  if (restarts > 0) return ['warn', `The server was restarted, and the stream said so. ${plural(lost, 'sample')} known to be lost.`]
  if (lost > 0) return ['warn', `${plural(lost, 'sample')} lost, and the stream said so. All others arrived in order, once.`]
  return ['good', 'Nothing is missing. Every sample so far arrived in order, once.']
}

setInterval(() => {
  if (performance.now() - updated > REDRAW * 1.2) scheduleUpdate()
}, REDRAW)
addEventListener('resize', scheduleUpdate)

find('#curl').textContent = `curl -N ${location.origin}/events`
find('#curl-send').textContent = `curl --json '{ "message": "hello" }' ${location.origin}/send-event`
