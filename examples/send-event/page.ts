import { createSubscriber, sessionCursor } from 'eventwire/client'
import { addLine, find, showStatus } from '../shared/dom.ts'
import { events } from './events.ts'

// The cursor outlives a reload of the page.
const stream = createSubscriber(events, '/events', { cursor: sessionCursor('send-event') })

showStatus(stream)
stream.on('message', (message) => addLine(find('#messages'), message))
stream.onGap(({ reason }) => addLine(find('#messages'), `Messages were lost: ${reason}.`, 'warn'))

find('form').addEventListener('submit', (submit) => {
  submit.preventDefault()
  void send(find('input').value).then((outcome) => (find('#outcome').textContent = outcome))
  find('form').reset()
})

/** What became of a message, in a sentence. */
async function send(message: string): Promise<string> {
  try {
    const headers = { 'content-type': 'application/json' }
    const response = await fetch('/send-event', { method: 'POST', headers, body: JSON.stringify({ message }) })
    const { id, detail } = (await response.json()) as { id?: string; detail?: string }
    return id ? `Sent as ${id}.` : (detail ?? `The server answered ${response.status}.`)
  } catch {
    return 'The server cannot be reached.'
  }
}

find('#curl').textContent = `curl --json '{ "message": "hello" }' ${location.origin}/send-event`
