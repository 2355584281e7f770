import { expect } from 'vitest'
import type { Client } from './client.ts'
import type { Around } from './server.ts'

/** A text whose every part is told apart. */
export const MEGABYTE = Array.from({ length: 100_000 }, (_, i) => String(i).padStart(9, '0')).join(',')

/** Reads streams of large and small events, and what other requests ask for, in turn over one connection. */
export async function exchange(client: Client, { emitter, connections }: Pick<Around, 'emitter' | 'connections'>): Promise<void> {
  for (let round = 1; round <= 2; round++) {
    const stream = client.ask()
    await stream.opened
    const texts = [
      'ä',
      MEGABYTE,
      '€',
      ...Array.from({ length: 200 }, (_, i) => `${i} ${'😀'.repeat(i)}`),
      MEGABYTE.slice(0, 70_000),
      'last',
    ]
    for (const text of texts) void emitter.emit('message', text)
    await stream.has('data: last\n\n')
    expect(stream.messages.map((text, i) => text === texts[i])).toEqual(texts.map(() => true))
    for (const connection of connections) connection.close()
    await stream.complete
    const other = client.ask('GET /plain')
    await other.complete
    expect(Buffer.from(other.body).toString()).toBe('plain')
  }
}
