import type { IncomingMessage } from 'node:http'

/** How much of a body that is too large is read and thrown away, in bytes; then nothing more is read. */
const DISCARDED = 1 << 20

/** Reads a body of at most `limit` bytes. Rejects when the client leaves before its end. */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer | 'too-large'> {
  return new Promise((resolve, reject) => {
    let chunks: Buffer[] = []
    let size = 0
    const refuse = (): void => {
      chunks = []
      resolve('too-large')
    }
    if (Number(request.headers['content-length']) > limit) refuse()
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size <= limit) chunks.push(chunk)
      else refuse()
      if (size > limit + DISCARDED) request.pause()
    })
    request.on('end', () => resolve(Buffer.concat(chunks)))
    request.on('error', reject)
  })
}
