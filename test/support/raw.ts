import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A client that writes what it likes to a TCP socket. */
export interface Raw {
  readonly socket: Socket
  /** All that came, as latin1. */
  readonly text: string
  write(data: string | Uint8Array): void
  /** Waits until `part` has come; gives all that has. Fails when the connection ends first. */
  until(part: string | RegExp): Promise<string>
  /** Resolves with all that came when the connection is gone, whoever ended it. */
  readonly closed: Promise<string>
}

/** Connects to a port of 127.0.0.1. The connection is cut at the end of the test. */
export async function dial(port: number): Promise<Raw> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  onTestFinished(() => void socket.destroy())
  let text = ''
  let over = false
  let wake = Promise.withResolvers<void>()
  const tick = (): void => {
    wake.resolve()
    wake = Promise.withResolvers()
  }
  const closed = new Promise<string>((resolve) => {
    socket.on('close', () => {
      over = true
      tick()
      resolve(text)
    })
  })
  // Cut by the server: that is told by 'close'.
  socket.on('error', () => {})
  socket.on('data', (data) => {
    text += data.toString('latin1')
    tick()
  })
  // A server that has ended its half has ended the connection, unless the client has more to say.
  socket.on('end', () => socket.end())
  await new Promise<void>((resolve) => socket.once('connect', resolve))
  return {
    socket,
    closed,
    get text() {
      return text
    },
    write: (data) => void socket.write(data),
    async until(part) {
      while (typeof part === 'string' ? !text.includes(part) : !part.test(text)) {
        if (over) throw new Error(`The connection ended before ${part} came. It had sent:\n${text}`)
        await wake.promise
      }
      return text
    },
  }
}

/** The statuses of the responses in what came over a connection. */
export function statusesOf(text: string): number[] {
  return Array.from(text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm), ([, status]) => Number(status))
}

/** The head of a request, as it stands on the wire. */
export function head(line: string, ...fields: readonly string[]): string {
  return [`${line} HTTP/1.1`, 'host: 127.0.0.1', ...fields, '', ''].join('\r\n')
}
