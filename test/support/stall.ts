import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A client that asks for the stream and reads not a byte of it. */
export function stall(port: number): Socket {
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {}).pause()
  socket.write('GET /events HTTP/1.1\r\nhost: x\r\n\r\n')
  onTestFinished(() => void socket.destroy())
  return socket
}
