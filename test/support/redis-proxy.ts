import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** What stands between clients and Redis, and can be told to misbehave. */
export interface RedisProxy {
  readonly url: string
  /** Cuts what is open, and leads to another port from now on; `undefined` is nowhere. */
  lead(port: number | undefined): void
  /** Lets no byte through any more over what is open, either way, and tells nobody. */
  deafen(): void
  /** Lets the next command through that contains this text, and cuts what is open once Redis has replied, without the reply. Resolves then. */
  swallowReply(text: string): Promise<void>
  /** Holds the next command that contains this text, and cuts what is open. Resolves then to what delivers it after all, and waits for Redis to reply. */
  holdCommand(text: string): Promise<() => Promise<void>>
}

/** What is to be done with the next command that contains a text. */
interface Trap {
  readonly text: string
  spring(command: Buffer, redis: Socket): void
}

/** A TCP proxy before a Redis of this machine. It is gone at the end of the test. */
export async function startProxy(port: number): Promise<RedisProxy> {
  let target: number | undefined = port
  let trap: Trap | undefined
  const open = new Set<Socket>()
  const cut = (): void => {
    for (const socket of open) socket.destroy()
  }

  const server = createServer((client) => {
    const redis = connect(target ?? 0, '127.0.0.1')
    for (const socket of [client, redis]) {
      open.add(socket)
      socket.on('error', () => {}).on('close', () => open.delete(socket))
    }
    client.on('close', () => open.has(redis) && redis.destroy())
    redis.on('close', () => client.destroy()).on('data', (data) => client.write(data))
    client.on('data', (data) => {
      const sprung = trap && data.includes(trap.text) ? trap : undefined
      if (sprung) {
        trap = undefined
        sprung.spring(data, redis)
      } else redis.write(data)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    cut()
  })

  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    lead(next) {
      target = next
      cut()
    },
    deafen() {
      for (const socket of open) socket.removeAllListeners('data').pause()
    },
    swallowReply: (text) =>
      new Promise((resolve) => {
        trap = {
          text,
          spring(command, redis) {
            redis.removeAllListeners('data').once('data', () => {
              cut()
              resolve()
            })
            redis.write(command)
          },
        }
      }),
    holdCommand: (text) =>
      new Promise((resolve) => {
        trap = {
          text,
          spring(command, redis) {
            open.delete(redis)
            redis.removeAllListeners('data')
            cut()
            resolve(async () => {
              const replied = once(redis, 'data')
              redis.write(command)
              await replied
              redis.destroy()
            })
          },
        }
      }),
  }
}
