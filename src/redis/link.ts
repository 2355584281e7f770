import { command, destroy, type AnyRedis, type MakeClient } from './client.ts'

interface Connecting {
  readonly client: AnyRedis
  /** Settles when it has connected for the first time; `undefined` once it has. */
  connected: Promise<unknown> | undefined
}

/** A way to Redis for commands that may take long: a client of its own, which is made anew when it does not answer. */
export class Link {
  #client: Promise<Connecting> | undefined
  #closed = false
  /** Why the last command was not carried out; or why it is not connected, where its client has said. */
  trouble: unknown

  constructor(readonly makeClient: MakeClient) {}

  /** Sends a command about one key. Rejects when there is no reply in so many ms, for what is cut without a word may stay silent for hours; whether it was carried out is then not known. */
  async send(key: string, args: string[], timeout: number): Promise<unknown> {
    if (this.#closed) throw new Error('The connection to Redis was closed.')
    const connecting = await (this.#client ??= this.#connect())
    const { client, connected } = connecting
    try {
      if (connected) {
        await within(timeout, connected)
        connecting.connected = undefined
      }
      const reply = await within(timeout, command(client, key, args), () => this.#drop(client))
      this.trouble = undefined
      return reply
    } catch (error) {
      // The address may be that of another server by now.
      if (isReply(error) && /\bREADONLY\b/.test(error.message)) this.#drop(client)
      if (isReply(error)) this.trouble = error
      throw this.trouble ?? error
    }
  }

  /** Closes it at once. */
  close(): void {
    this.#closed = true
    void this.#client?.then(
      ({ client }) => destroy(client),
      () => {},
    )
  }

  async #connect(): Promise<Connecting> {
    try {
      const client = await this.makeClient()
      // What it says here tells more than the commands that fail because of it. Before it is connected for the first time it is the end of it.
      const failed = new Promise<never>((_resolve, reject) => {
        client.on('error', (error) => {
          this.trouble = error
          reject(error)
        })
      })
      const connected = Promise.race([client.connect(), failed])
      connected.catch((error: unknown) => {
        this.trouble ??= error
        this.#drop(client)
      })
      if (this.#closed) void destroy(client)
      return { client, connected }
    } catch (error) {
      this.#client = undefined
      throw error
    }
  }

  #drop(client: AnyRedis): void {
    this.#client = undefined
    void destroy(client)
  }
}

/** Whether it is Redis itself that has refused a command. */
export function isReply(error: unknown): error is Error {
  return error instanceof Error && /^[A-Z]+ /.test(error.message)
}

async function within<T>(ms: number, work: Promise<T>, onLate = (): void => {}): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`there was no answer for ${Math.round(ms)} ms`))
      onLate()
    }, ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
