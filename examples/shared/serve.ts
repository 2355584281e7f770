import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { loadPage } from './page.ts'
import { answerFailure, Refusal } from './http.ts'

export type Handler = (request: IncomingMessage, response: ServerResponse) => void | Promise<void>

export interface Example {
  /** The name of its folder. The page there is at `/`. */
  readonly name: string
  /** What else answers, by path. */
  readonly routes: Readonly<Record<string, Handler>>
  /** What to type into a shell to see it there, where `url` is the server's, without a slash at its end. */
  readonly shell: (url: string) => readonly string[]
  /** Ends every stream. Called at Ctrl-C. */
  readonly close: () => Promise<void>
}

/** How long requests that are under way may take once it is told to stop, in ms. */
const GRACE = 500

/** Where examples listen. HOST may be another address of this machine, so that a phone finds it. */
const HOST = process.env['HOST'] || '127.0.0.1'

/** The port that they listen on: PORT of the environment. */
export const PORT = portOf(process.env['PORT'] || '3000')

/** Serves an example until Ctrl-C, and says how to look at it. */
export async function serve({ name, routes, shell, close }: Example): Promise<void> {
  const handlers = new Map(Object.entries({ ...(await loadPage(name)), ...routes }))
  const server = createServer((request, response) => {
    // A client that leaves while it is answered; without a listener that would end the process.
    response.on('error', () => {})
    answer(handlers, request, response).catch((error: unknown) => answerFailure(response, error))
  })
  server.once('error', (error) => fail(faultOf(error, name)))
  server.listen(PORT, HOST, () => {
    const { port } = server.address() as AddressInfo
    const url = `http://${HOST.includes(':') ? `[${HOST}]` : HOST}:${port}`
    console.log([`The page:   ${url}`, `In a shell: ${shell(url).join('\n            ')}`, 'To stop:    Ctrl-C'].join('\n'))
  })
  let stopping: Promise<void> | undefined
  // Not once: npm passes on the Ctrl-C that the terminal has sent to all.
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void (stopping ??= stop(server, close)))
}

async function answer(handlers: ReadonlyMap<string, Handler>, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const [path = ''] = (request.url ?? '').split('?')
  const handler = handlers.get(path)
  if (!handler) throw new Refusal(404, 'There is nothing at this address. The page is at /.')
  await handler(request, response)
}

function faultOf({ code, syscall, message }: NodeJS.ErrnoException, name: string): string {
  if (code === 'EADDRINUSE') return `Port ${PORT} is taken. Choose another: PORT=${PORT + 1} npm run example ${name}`
  if (code === 'EADDRNOTAVAIL' || syscall === 'getaddrinfo') return `HOST is ${JSON.stringify(HOST)}; give an address of this machine.`
  return `Cannot listen on port ${PORT}: ${message}`
}

/** Nothing new is let in, the streams end, and what is left after the grace period is cut. */
async function stop(server: Server, close: () => Promise<void>): Promise<void> {
  server.close(() => process.exit(0))
  setTimeout(() => server.closeAllConnections(), GRACE)
  await close()
  server.closeIdleConnections()
}

function portOf(port: string): number {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) fail(`PORT is ${JSON.stringify(port)}; give a number from 0 to 65535.`)
  return Number(port)
}

function fail(message: string): never {
  console.error(message)
  process.exit(1)
}
