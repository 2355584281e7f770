import { command, destroy, type AnyRedis, type MakeClient } from './client.ts'

/** Without any answer for so long, in ms, a connection counts as dead: what is cut without a word may stay silent for hours. */
const DEAD = 2_000

/** A client on its way. */
interface Way {
  readonly client: AnyRedis
  /** Settles when it has connected for the first time; `undefined` once it has. */
  connected: Promise<unknown> | undefined
  /** When Redis has answered last, or else when it was made, as `performance.now()` has it. */
  answered: number
}

/** Told apart by what it is, and never seen outside. */
const LATE = new Error('late')

/** A way to Redis: a client of its own, and another one when that is broken. How often it is tried is up to who sends. */
export class Link {
  #way: Promise<Way> | undefined
  #closed = false
  /** Why there is no connection, where the client has said. */
  trouble: unknown
  /** How many commands have gone out. */
  sent = 0

  constructor(readonly makeClient: MakeClient) {}

  /** Sends a command about one key. Rejects when there is no reply in so many ms; whether it was carried out is then not known. */
  async send(key: string, args: string[], timeout: number): Promise<unknown> {
    if (this.#closed) throw new Error('the connection to Redis was closed')
    const found = (this.#way ??= this.#connect())
    const way = await found
    try {
      if (way.connected) await within(timeout, way.connected)
      way.connected = undefined
      this.sent++
      const reply = await within(timeout, command(way.client, key, args))
      this.trouble = undefined
      way.answered = performance.now()
      return reply
    } catch (error) {
      throw this.#failed(error, found, way, timeout)
    }
  }

  /** Closes it at once. */
  close(): void {
    this.#closed = true
    void this.#way?.then(end, () => {})
  }

  async #connect(): Promise<Way> {
    this.trouble = undefined
    try {
      const client = await this.makeClient()
      // What it says here tells more than the commands that fail because of it.
      const failed = new Promise<never>((_resolve, reject) => {
        client.on('error', (error) => {
          this.trouble = error
          reject(error)
        })
      })
      const connected = Promise.race([client.connect(), failed])
      connected.catch(() => {})
      const way = { client, connected, answered: performance.now() }
      if (this.#closed) void end(way)
      return way
    } catch (error) {
      this.#way = undefined
      throw error
    }
  }

  /** Gives what to throw, and lets go of a client that is of no use any more. */
  #failed(error: unknown, found: Promise<Way>, way: Way, timeout: number): unknown {
    if (isReply(error)) {
      way.answered = performance.now()
      // The address may be that of another server by now.
      if (/\bREADONLY\b/.test(error.message)) this.#drop(found, way)
      return error
    }
    // Clients that connect again by themselves may give up, or wait for ever. One that is slow may serve others.
    if (error !== LATE || performance.now() - way.answered >= DEAD) this.#drop(found, way)
    return this.trouble ?? (error === LATE ? new Error(`there was no answer for ${Math.round(timeout)} ms`) : error)
  }

  #drop(found: Promise<Way>, way: Way): void {
    if (this.#way === found) this.#way = undefined
    void end(way)
  }
}

/** Ends a client. One that is about to connect would keep its socket: it is left to do that, unless it takes long. */
async function end({ client, connected }: Way): Promise<void> {
  if (connected) await within(DEAD, connected).catch(() => {})
  await destroy(client)
}

/** Whether it is Redis itself that has refused a command. */
export function isReply(error: unknown): error is Error {
  return error instanceof Error && /^[A-Z]+ /.test(error.message)
}

/** Rejects with `LATE` when it takes longer. */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(LATE), ms)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
