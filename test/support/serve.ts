import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Served {
  readonly url: string
  readonly port: number
  /** Cuts every open connection in the midst of whatever it is doing. */
  cut(): void
}

/** A real HTTP server on a free port of 127.0.0.1, gone at the end of the test. */
export async function serve(listener: RequestListener, port = 0): Promise<Served & { readonly server: Server; stop(): Promise<void> }> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const stop = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  onTestFinished(stop)
  const address = server.address() as AddressInfo
  return { server, stop, port: address.port, url: `http://127.0.0.1:${address.port}/events`, cut: () => server.closeAllConnections() }
}

/** A TCP server that misbehaves by script: `script` gets each socket once the head of a request has come, with its number from 1. */
export async function serveTcp(script: (socket: Socket, attempt: number, head: string) => void): Promise<Served & { attempts: string[] }> {
  const sockets = new Set<Socket>()
  const attempts: string[] = []
  const server = createTcpServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    socket.once('data', (head) => {
      attempts.push(head.toString())
      script(socket, attempts.length, head.toString())
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
  }
  onTestFinished(async () => {
    cut()
    await new Promise((resolve) => server.close(resolve))
  })
  const { port } = server.address() as AddressInfo
  return { port, url: `http://127.0.0.1:${port}/events`, cut, attempts }
}

/** The head of a stream that ends with its socket. */
export const STREAM_HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n'

/** A whole response. */
export function response(status: string, body = '', headers = ''): string {
  return `HTTP/1.1 ${status}\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
}

/** A stream whose bytes the test writes. */
export async function scripted(): Promise<{ url: string; write(text: string): Promise<void> }> {
  const opened = Promise.withResolvers<Socket>()
  const { url } = await serveTcp((socket) => {
    socket.write(STREAM_HEAD)
    opened.resolve(socket)
  })
  return { url, write: async (text) => void (await opened.promise).write(text) }
}
