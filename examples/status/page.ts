import { createSubscriber } from 'eventwire/client'
import { find, showStatus } from '../shared/dom.ts'
import { events, STATES } from './events.ts'

const stream = createSubscriber(events, '/events')
const steps = STATES.map((state) => Object.assign(document.createElement('li'), { textContent: state }))

find('ol').append(...steps)
showStatus(stream)
stream.on('status', show)

const { reason } = await stream.closed
// Not for a stream that was cut: that is no end.
if (reason === 'ended') show('Done')

/** Puts the deploy at a state: what comes before is behind it. */
function show(state: string): void {
  const now = STATES.indexOf(state)
  for (const [i, { dataset }] of steps.entries()) dataset['step'] = i < now || state === 'Done' ? 'past' : i === now ? 'now' : 'next'
  find('#state').textContent = state
  find('#outcome').textContent =
    state === 'Done' ? 'The stream is complete, and the page does not ask again.' : 'The server will ask again.'
}
