import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { NGINX } from '../../scripts/programs.ts'
import { freePort } from './port.ts'
import { missing, pathOf } from './program.ts'

/** Why the tests behind nginx cannot run here; `undefined` when they can. */
export const missingNginx = missing(NGINX)

export interface Proxy {
  /** What stands for the server's own address. */
  readonly url: string
  /** Ends it, and every connection through it, at once. */
  stop(): Promise<void>
  /** Starts it again where it was. */
  start(): Promise<void>
}

/** A real nginx before the servers on some ports, with a few directives of its configuration. It is gone at the end of the test. */
export async function startNginx(upstream: number | readonly number[], directives = ''): Promise<Proxy> {
  const executable = pathOf(NGINX)
  const folder = await mkdtemp(join(tmpdir(), 'eventwire-nginx-'))
  const port = await freePort()
  await writeFile(join(folder, 'nginx.conf'), configuration(port, [upstream].flat(), directives))
  let stop = async (): Promise<void> => {}

  const start = async (): Promise<void> => {
    const child = spawn(executable, ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'pipe'] })
    const exited = new Promise<void>((resolve) => child.on('close', () => resolve()))
    stop = () => {
      child.kill('SIGTERM')
      return exited
    }
    let output = ''
    await new Promise<void>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', () => reject(new Error(`nginx ended:\n${output}`)))
      child.stderr.on('data', (data) => {
        output += String(data)
        if (output.includes('start worker process ')) resolve()
      })
    })
  }

  onTestFinished(async () => {
    await stop()
    await rm(folder, { recursive: true })
  })
  await start()
  return { url: `http://127.0.0.1:${port}/events`, start, stop: () => stop() }
}

/** What nginx needs to run as anyone, in its folder and in the foreground; the rest is as it comes. */
const configuration = (port: number, upstreams: readonly number[], directives: string): string => `
daemon off;
# As root it would work as another user, who may not enter the folder; as anyone else it ignores this.
user root;
pid nginx.pid;
error_log stderr notice;
events {
  worker_connections 4096;
}
http {
  access_log off;
  client_body_temp_path client_body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  upstream kept {
    # One that cannot be reached is asked again for the next request.
    ${upstreams.map((upstream) => `server 127.0.0.1:${upstream} max_fails=0;`).join('\n    ')}
    # Used where a location has HTTP/1.1 to the server, and no header Connection.
    keepalive 2;
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://kept;
      ${directives}
    }
  }
}
`
