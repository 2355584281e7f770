import { createSubscriber } from 'eventwire/client'
import { find, showStatus } from '../shared/dom.ts'
import { events } from './events.ts'

// The same server by its other name, which is another origin: the browser asks it whether this page may listen.
const names: Record<string, string> = { localhost: '127.0.0.1', '127.0.0.1': 'localhost' }
const there = new URL('/events', location.href)
there.hostname = names[location.hostname] ?? location.hostname

const stream = createSubscriber(events, there.href)

showStatus(stream)

stream.on('time', ({ now }) => {
  const time = new Date(now)
  find('#time').textContent = time.toLocaleTimeString('en-GB')
  find('#delay').textContent = `here ${Math.max(0, Date.now() - time.getTime())} ms later`
})

find('#here').textContent = location.origin
find('#there').textContent = there.origin
