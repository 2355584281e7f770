// For the versions of Node: an emitter and clients that read in their ways, one of which never does. Prints what each has heard, how many
// writes went through node's sockets, and the most that the system had yet to take. The first word says how: `replaced`: somebody has replaced their
// `write` since eventwire was loaded. The second is the mark up to which a connection may wait.
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, Socket, type AddressInfo } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'

let writes = 0
const count = (): void => {
  const { write } = Socket.prototype
  Socket.prototype.write = function (this: Socket, ...given: unknown[]) {
    if ('server' in this && this.server) writes++
    return Reflect.apply(write, this, given) as boolean
  }
}
const EVENTS = 3_000
const replaced = process.argv[2] === 'replaced'

// As a program may that watches sockets: before what it watches.
if (!replaced) count()
const { defineEvents, text } = await import('eventwire')
const { createEmitter } = await import('eventwire/server')
const { createDecoder } = await import('eventwire/wire')
if (replaced) count()

const emitter = createEmitter(defineEvents({ message: text() }), {
  highWaterMark: Number(process.argv[3]),
  detach: process.argv[2] === 'detach',
})
const server = createServer((request, response) => emitter.handleNode(request, response)).listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo

/** What a client does with what comes: reads on, waits a while now and then, or leaves in the midst of it. */
const ways = {
  reads: () => {},
  waits(socket: Socket, heard: number): void {
    if (heard % 500 > 20) return
    socket.pause()
    setTimeout(() => socket.resume(), 30)
  },
  leaves: (socket: Socket, heard: number) => void (heard > 1_000 && socket.resetAndDestroy()),
}

/** The numbers that a client hears, until it has the last or has left. */
async function hear(way: keyof typeof ways): Promise<number[]> {
  const numbers: number[] = []
  const socket = connect({ port, host: '127.0.0.1' })
  const body = createDecoder({ onMessage: ({ event, data }) => void (event === 'message' && numbers.push(Number.parseInt(data, 10))) })
  socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
  let rest = Buffer.alloc(0)
  socket.on('data', (data) => {
    rest = Buffer.concat([rest, data])
    rest = unframe(rest, (chunk) => body.push(chunk))
    ways[way](socket, numbers.length)
    if (numbers.at(-1) === EVENTS) socket.destroy()
  })
  socket.on('error', () => {})
  await once(socket, 'close')
  return numbers
}

/** Takes whole chunks off the beginning, and the head of the response. Throws where the framing is none. */
function unframe(bytes: Buffer<ArrayBuffer>, take: (chunk: Buffer) => void): Buffer<ArrayBuffer> {
  const head = bytes.subarray(0, 4).toString() === 'HTTP' ? bytes.indexOf('\r\n\r\n') + 4 : 0
  if (head === 3) return bytes
  let rest = bytes.subarray(head)
  for (let end = rest.indexOf('\r\n'); end >= 0; end = rest.indexOf('\r\n')) {
    const digits = rest.subarray(0, end).toString()
    if (!/^[0-9a-f]+$/.test(digits)) throw new Error(`${JSON.stringify(digits)} is no size of a chunk.`)
    const size = Number.parseInt(digits, 16)
    if (rest.length < end + size + 4) break
    if (rest.subarray(end + 2 + size, end + size + 4).toString() !== '\r\n') throw new Error('A chunk ends in its midst.')
    take(rest.subarray(end + 2, end + 2 + size))
    rest = rest.subarray(end + size + 4)
  }
  return rest
}

const clients = (['reads', 'waits', 'leaves', 'waits', 'reads'] as const).map((way) => hear(way))
const idle = connect({ port, host: '127.0.0.1' }).on('error', () => {})
idle.pause().write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
while (emitter.stats().connections < clients.length + 1) await turn()

let buffered = 0
for (let number = 1; number <= EVENTS; number++) {
  void emitter.emit('message', `${number} ${'.'.repeat((number * 37) % 12_000)}`)
  buffered = Math.max(buffered, emitter.stats().buffered)
  await turn()
}
const heard = await Promise.all(clients)
idle.destroy()
await emitter.close()
server.close()
console.log(JSON.stringify({ writes, buffered, heard }))
