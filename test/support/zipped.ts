import { once } from 'node:events'
import { get, type IncomingHttpHeaders, type IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { createGunzip, gunzipSync } from 'node:zlib'
import { onTestFinished } from 'vitest'
import { collect, type Listening } from './listen.ts'

/** A client that accepts gzip and unpacks it itself, so that it knows what came over the wire. */
export interface Zipped extends Listening {
  readonly headers: IncomingHttpHeaders
  /** To stop reading, and to go on. */
  readonly incoming: IncomingMessage
  /** All that came, as it came. */
  readonly body: Buffer
  /** The text of the whole body. Throws unless that is a whole gzip stream, with a right checksum. */
  whole(): string
}

/** Asks for a stream, in gzip unless the headers say otherwise, and collects what comes. */
export async function listenZipped(url: string, headers: Record<string, string> = {}): Promise<Zipped> {
  const request = get(url, { agent: false, headers: { 'accept-encoding': 'gzip', ...headers } })
  onTestFinished(() => void request.destroy())
  const [incoming] = (await once(request, 'response')) as [IncomingMessage]
  const pieces: Buffer[] = []
  const gunzip = createGunzip()
  incoming.on('data', (piece: Buffer) => {
    pieces.push(piece)
    gunzip.write(piece)
  })
  incoming.on('end', () => gunzip.end())
  // Cut: it is over all the same.
  incoming.on('error', () => void gunzip.destroy())
  const listening = collect(new Response(Readable.toWeb(gunzip) as ReadableStream<Uint8Array>), () => void request.destroy())
  return Object.defineProperties(listening as Zipped, {
    headers: { value: incoming.headers },
    incoming: { value: incoming },
    body: { get: () => Buffer.concat(pieces) },
    whole: { value: () => gunzipSync(Buffer.concat(pieces)).toString() },
  })
}
