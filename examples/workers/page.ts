import { createSubscriber } from 'eventwire/client'
import { addLine, find, showStatus } from '../shared/dom.ts'
import { events } from './events.ts'

const stream = createSubscriber(events, '/hello')

showStatus(stream)

for (const event of ['foo', 'bar', 'message'] as const) {
  stream.on(event, ({ worker, n }) => addLine(find(`#${event}`), `${worker} ${n}`))
}

find('form').addEventListener('submit', (submit) => {
  submit.preventDefault()
  stream.close()
  find('button').disabled = true
})
