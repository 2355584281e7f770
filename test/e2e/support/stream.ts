import { request, type IncomingMessage } from 'node:http'
import { onTestFinished } from 'vitest'
import { createDecoder, type Gap } from 'eventwire/wire'

/** Opens a stream and reads nothing of it yet, which stays so until it is resumed. Cut at the end of the test. */
export async function openStream(url: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const asked = request(url, { headers, agent: false })
  onTestFinished(() => void asked.destroy())
  const response = await new Promise<IncomingMessage>((resolve, reject) => asked.on('response', resolve).on('error', reject).end())
  response.on('error', () => {})
  return response
}

/** An event as `server.ts` makes it, or a gap. */
export type Item = { readonly seq: number; readonly n: number; readonly key: string } | { readonly gap: Gap }

/** What a stream says from here on, until it ends or `enough` holds. */
export async function readStream(response: IncomingMessage, enough: (items: readonly Item[]) => boolean): Promise<Item[]> {
  const items: Item[] = []
  const decoder = createDecoder({
    onMessage({ event, data, id }) {
      if (event === '$gap') items.push({ gap: JSON.parse(data) as Gap })
      if (event !== 'message') return
      const [, n, key] = data.split(' ', 3)
      items.push({ seq: seqOf(id), n: Number(n), key: key! })
    },
  })
  await new Promise<void>((resolve) => {
    response.on('data', (chunk: Buffer) => {
      decoder.push(chunk)
      if (enough(items)) resolve()
    })
    response.on('close', resolve)
  })
  return items
}

export function seqOf(cursor: string): number {
  return Number(cursor.split('-')[1])
}

/** Counts the events of a stream without parsing it, and notes how long each was under way, in microseconds. */
export function countEvents(response: IncomingMessage, delays: number[], onEvents: (count: number) => void): void {
  response.on('data', (chunk: Buffer) => {
    const arrived = Number(process.hrtime.bigint() / 1_000n)
    let count = 0
    for (let at = chunk.indexOf(MARK); at >= 0; at = chunk.indexOf(MARK, at + 1)) {
      count++
      if (at + 17 <= chunk.length) delays.push(arrived - Number(chunk.toString('latin1', at + 1, at + 17)))
    }
    if (count > 0) onEvents(count)
  })
}

/** Begins each event of `server.ts`, and is nowhere else. */
const MARK = '~'.charCodeAt(0)

/** The value that a part of the values does not exceed. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}
