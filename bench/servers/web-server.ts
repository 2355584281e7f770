import { ready } from './control.ts'
import { options } from './options.ts'

type Fetch = (request: Request) => Response | Promise<Response>

/** What is used of the runtimes' own servers. */
interface Runtime {
  Bun?: { serve(options: { port: number; hostname: string; idleTimeout: number; fetch: Fetch }): unknown }
  Deno?: { serve(options: { port: number; hostname: string; onListen: () => void }, fetch: Fetch): unknown }
}

/** Serves a web handler by what the runtime brings; on node through @hono/node-server. */
export async function serveWeb(fetch: Fetch): Promise<void> {
  const { port } = options
  const hostname = '127.0.0.1'
  const { Bun, Deno } = globalThis as Runtime
  if (Bun) {
    Bun.serve({ port, hostname, idleTimeout: 0, fetch })
    ready()
  } else if (Deno) {
    Deno.serve({ port, hostname, onListen: () => ready() }, fetch)
  } else {
    const { serve } = await import('@hono/node-server')
    serve({ fetch, port, hostname }, () => ready())
  }
}
