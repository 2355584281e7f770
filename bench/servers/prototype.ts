// The shape that eventwire is measured by, with nothing else: encoded once, chunk framing in the shared bytes, one socket.write
// per tick, and a ring with a cursor per client in place of queues.
import type { Socket } from 'node:net'
import { takeOrders } from './control.ts'
import { frame, listen, openStream } from './node-http.ts'
import { encodeSample, type Sample } from './sample.ts'

const RING_BYTES = 4 << 20

interface Client {
  readonly socket: Socket
  /** Where it stands in `clients`, so that it can be taken out in one step. */
  index: number
  cursor: number
  full: boolean
}

const clients: Client[] = []
const ring: Buffer[] = []
let first = 0
let bytes = 0
let pending: Sample[] = []

listen((_request, response) => {
  openStream(response)
  const { socket } = response
  if (!socket) return
  const client: Client = { socket, index: clients.length, cursor: first + ring.length, full: false }
  clients.push(client)
  socket.on('drain', () => {
    if (!client.full) return
    client.full = false
    catchUp(client)
  })
  response.on('close', () => remove(client))
})

function remove(client: Client): void {
  const last = clients.pop()
  if (!last || last === client) return
  clients[client.index] = last
  last.index = client.index
}

function catchUp(client: Client): void {
  client.cursor = Math.max(client.cursor, first)
  while (!client.full) {
    const chunk = ring[client.cursor - first]
    if (!chunk) return
    client.cursor++
    client.full = !client.socket.write(chunk)
  }
}

function flush(): void {
  const chunk = frame(pending.map(encodeSample).join(''))
  pending = []
  ring.push(chunk)
  bytes += chunk.length
  const head = first + ring.length
  for (const client of clients) {
    if (client.full) continue
    client.cursor = head
    client.full = !client.socket.write(chunk)
  }
  while (bytes > RING_BYTES && ring.length > 1) {
    bytes -= ring.shift()?.length ?? 0
    first++
  }
}

takeOrders((samples) => {
  if (pending.length === 0) queueMicrotask(flush)
  pending.push(...samples)
})
