import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { NGINX } from '../../../scripts/programs.ts'
import { freePort } from '../../support/port.ts'
import { pathOf } from '../../support/program.ts'

/**
 * A real nginx that spreads requests over the nodes on some ports, and asks another node where one cannot be reached. Gives its
 * address; it is gone at the end of the test.
 */
export async function startBalancer(nodes: readonly number[]): Promise<string> {
  const executable = pathOf(NGINX)
  const folder = await mkdtemp(join(tmpdir(), 'eventwire-balancer-'))
  const port = await freePort()
  await writeFile(join(folder, 'nginx.conf'), configuration(port, nodes))
  const child = spawn(executable, ['-p', folder, '-c', 'nginx.conf', '-e', 'stderr'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = new Promise<void>((resolve) => child.on('close', () => resolve()))
  onTestFinished(async () => {
    child.kill('SIGTERM')
    await exited
    await rm(folder, { recursive: true })
  })
  let output = ''
  await new Promise<void>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => reject(new Error(`nginx ended:\n${output}`)))
    child.stderr.on('data', (data) => {
      output = (output + String(data)).slice(-10_000)
      if (output.includes('start worker process ')) resolve()
    })
  })
  return `http://127.0.0.1:${port}/events`
}

/** `proxy_buffering` and `proxy_next_upstream` are as they come: what was sent to a node is not sent to another, unless it may be repeated. */
const configuration = (port: number, nodes: readonly number[]): string => `
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
  upstream nodes {
    ${nodes.map((node) => `server 127.0.0.1:${node} max_fails=0;`).join('\n    ')}
  }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://nodes;
      proxy_http_version 1.1;
    }
  }
}
`
