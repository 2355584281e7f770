import { connect, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { createDecoder } from 'eventwire/wire'
import { head } from '../../support/raw.ts'
import { Http1Reader, type WireResponse } from './http1.ts'

/** The response to a request, as it comes. */
export interface Answered {
  /** Once its head has come. */
  readonly response: WireResponse
  readonly body: Uint8Array
  /** The data of the events named `message`. */
  readonly messages: string[]
  /** Waits until `test` holds. Fails when the connection ends first. */
  until(test: (answered: Answered) => boolean): Promise<void>
  /** Waits until `text` has come in the body, behind what was waited for before. */
  has(text: string): Promise<void>
  /** Waits until the stream has said where it stands. */
  readonly opened: Promise<void>
  /** Waits for the end of its body, as the framing has it. */
  readonly complete: Promise<void>
}

/** A client on one connection, which holds the server to every byte it sends. */
export interface Client {
  readonly socket: Socket
  readonly reader: Http1Reader
  /** Sends a request. */
  ask(line?: string, ...fields: readonly string[]): Answered
  /** Tells what is sent as it is of a request. */
  expect(method: string): Answered
  /** Resolves when the connection is gone, whoever ended it. */
  readonly closed: Promise<void>
}

/** Connects to a port of 127.0.0.1, or goes on with a socket that is connected. The test fails when the server sent what it must not. */
export async function openClient(to: number | Socket): Promise<Client> {
  const socket = typeof to === 'number' ? connect({ port: to, host: '127.0.0.1', noDelay: true }) : to
  const reader = new Http1Reader()
  let failure: unknown
  let over = false
  let wake = Promise.withResolvers<void>()
  const tick = (): void => {
    wake.resolve()
    wake = Promise.withResolvers()
  }
  socket.on('data', (data) => {
    try {
      reader.push(data)
    } catch (error) {
      failure ??= error
      socket.destroy()
    }
    tick()
  })
  // Cut by the server: that is told by 'close'.
  socket.on('error', () => {})
  socket.on('end', () => reader.end())
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      over = true
      tick()
      resolve()
    })
  })
  onTestFinished(() => {
    socket.destroy()
    if (failure) throw failure
  })
  if (socket.connecting) await new Promise((resolve) => socket.once('connect', resolve))

  const until = async (test: () => boolean): Promise<void> => {
    while (!test()) {
      if (failure) throw failure
      if (over) throw new Error('The connection ended before that was so.')
      await wake.promise
    }
  }
  let count = 0
  const expect = (method: string): Answered => {
    reader.asked.push(method)
    return answered(reader, count++, until)
  }
  return {
    socket,
    reader,
    closed,
    expect,
    ask(line = 'GET /events', ...fields) {
      socket.write(head(line, ...fields))
      return expect(line.split(' ', 1)[0]!)
    },
  }
}

function answered(reader: Http1Reader, index: number, until: (test: () => boolean) => Promise<void>): Answered {
  // What has been looked through: a body of many megabytes comes in thousands of pieces.
  let looked = 0
  let rest = Buffer.alloc(0)
  const it: Answered = {
    has: (text) =>
      it.until(({ response }) => {
        const found = (): number => rest.indexOf(text)
        while (found() < 0 && looked < response.pieces.length) {
          rest = Buffer.concat([rest.subarray(-text.length), response.pieces[looked++]!])
        }
        const at = found()
        if (at >= 0) rest = rest.subarray(at + Buffer.byteLength(text))
        return at >= 0
      }),
    get response() {
      return reader.responses[index]!
    },
    get body() {
      return Buffer.concat(it.response?.pieces ?? [])
    },
    get messages() {
      return messagesIn(it.body)
    },
    until: (test) => until(() => it.response !== undefined && test(it)),
    get opened() {
      return it.has('\n\nid: ')
    },
    get complete() {
      return it.until(({ response }) => response.complete)
    },
  }
  return it
}

/** The data of the events named `message` in a stream. */
export function messagesIn(stream: Uint8Array): string[] {
  const messages: string[] = []
  const decoder = createDecoder({
    maxEventBytes: 16 << 20,
    onMessage({ event, data }) {
      if (event === 'message') messages.push(data)
    },
  })
  decoder.push(stream)
  return messages
}
