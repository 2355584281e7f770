import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from 'redis'
import { REDIS } from '../../scripts/programs.ts'
import { pathOf } from './program.ts'

export interface RedisServerOptions {
  /** What outlives it: every write, also when it is killed; what was there at the last `SAVE` or `stop`; or nothing. Default: nothing. */
  readonly persistent?: 'aof' | 'rdb' | false
  readonly password?: string
  /** As Redis writes it: `'2mb'`. Then it evicts nothing and refuses writes. */
  readonly maxmemory?: string
  /** Starts as a replica of the server on this port, which has no password or the same one. There `replicated` tells when it has followed. */
  readonly replicaOf?: number
  /** More of its configuration, a directive a line. */
  readonly directives?: string
}

/** A real redis-server of 127.0.0.1 in a folder of its own. */
export interface RedisServer {
  /** With the password, if it has one. */
  readonly url: string
  readonly port: number
  /** Sends one command over a connection of its own and gives the reply, as RESP 2 has it. Rejects with what Redis answers by an error. */
  command(...words: string[]): Promise<unknown>
  /** Waits until a replica has everything that is here. */
  replicated(): Promise<void>
  /** Ends it as an operator does: it saves what it is to keep, and waits for its replicas. */
  stop(): Promise<void>
  /** Ends it as a crash does. */
  kill(): Promise<void>
  /** Starts it again on the same port, in the same folder. */
  start(): Promise<void>
  /** Freezes it: its port takes connections, and nothing is answered. */
  pause(): void
  resume(): void
  /** Waits until it has said so in its log, since it was started last. */
  logged(text: string): Promise<void>
  /** Ends it, running or not, and removes its folder. */
  dispose(): Promise<void>
}

/** Starts a Redis that answers once this resolves. Whoever calls this disposes of it. */
export async function launchRedis(options: RedisServerOptions = {}): Promise<RedisServer> {
  const executable = pathOf(REDIS)
  const folder = await mkdtemp(join(tmpdir(), 'eventwire-redis-'))
  const port = await keepablePort()
  const url = `redis://${options.password ? `:${encodeURIComponent(options.password)}@` : ''}127.0.0.1:${port}`
  await writeFile(join(folder, 'redis.conf'), configuration(port, folder, options))
  let running: Running | undefined

  const start = async (): Promise<void> => {
    running = await run(executable, join(folder, 'redis.conf'))
  }
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    running?.child.kill(signal)
    await running?.exited
  }
  const dispose = async (): Promise<void> => {
    await end('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }

  try {
    await start()
  } catch (error) {
    await dispose()
    throw error
  }
  return {
    url,
    port,
    command: (...words) => ask(url, words),
    // It waits for what was there at the command before it of the same connection.
    replicated: async () => void (await ask(url, ['PING'], ['WAIT', '1', '0'])),
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    start,
    pause: () => void running?.child.kill('SIGSTOP'),
    resume: () => void running?.child.kill('SIGCONT'),
    logged: async (text) => running?.logged(text),
    dispose,
  }
}

interface Running {
  readonly child: ChildProcess
  readonly exited: Promise<void>
  logged(text: string): Promise<void>
}

/** Runs a redis-server, and waits until it answers. */
async function run(executable: string, file: string): Promise<Running> {
  const child = spawn(executable, [file], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exited = new Promise<void>((resolve) => child.on('close', () => resolve()))
  let output = ''
  child.stdout.on('data', (data) => (output += String(data)))
  const logged = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        if (output.includes(text)) resolve()
      }
      child.stdout.on('data', look)
      child.on('error', reject)
      child.on('close', () => reject(new Error(`redis-server ended without «${text}»:\n${output}`)))
      look()
    })
  await logged('Ready to accept connections')
  return { child, exited, logged }
}

/** Sends some commands and gives the last reply. */
async function ask(url: string, ...commands: string[][]): Promise<unknown> {
  const client = createClient({ url, RESP: 2, socket: { reconnectStrategy: false } })
  // What it tells here, the command rejects with too.
  client.on('error', () => {})
  await client.connect()
  try {
    let reply: unknown
    for (const words of commands) reply = await client.sendCommand(words)
    return reply
  } finally {
    client.destroy()
  }
}

function configuration(
  port: number,
  folder: string,
  { persistent = false, password, maxmemory, replicaOf, directives = '' }: RedisServerOptions,
): string {
  return `
bind 127.0.0.1
port ${port}
dir ${folder}
# How soon it obeys the signal to stop.
hz 100
# A replica is served at once.
repl-diskless-sync-delay 0
${persistent === 'rdb' ? '# Saves when it is stopped, and never by itself while a test runs.\nsave 86400 1' : 'save ""'}
${persistent === 'aof' ? '# Written before it answers, and not flushed to the disk: what the machine holds outlives a process that is killed.\nappendonly yes\nappendfsync no' : ''}
${password ? `requirepass "${password}"\nmasterauth "${password}"` : ''}
${maxmemory ? `maxmemory ${maxmemory}\nmaxmemory-policy noeviction` : ''}
${replicaOf ? `replicaof 127.0.0.1 ${replicaOf}` : ''}
${directives}
`
}

/**
 * A port that nobody listens on, and that stays so while the server is stopped: it lies below those that systems give away. A
 * connection to one of those may even be given the port that it is to, and then reach itself.
 */
export async function keepablePort(): Promise<number> {
  const port = 20_000 + Math.floor(Math.random() * 12_000)
  const server = createServer().listen(port, '127.0.0.1')
  try {
    await once(server, 'listening')
  } catch {
    return keepablePort()
  }
  server.close()
  await once(server, 'close')
  return port
}
