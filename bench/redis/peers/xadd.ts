// The floor: an event is one XADD, and a subscriber one XREAD after another; no id, no schema, no server between.
import { createClient } from 'redis'
import type { Node, Trade } from '../peer.ts'

const STREAM = 'floor'
/** As many as eventwire keeps, unless it is told otherwise. */
const MOST_EVENTS = 100_000

export async function join(redis: string): Promise<Node> {
  const client = await connect(redis)
  const options = { TRIM: { strategy: 'MAXLEN', strategyModifier: '~', threshold: MOST_EVENTS } } as const
  return { publish: (trade) => client.xAdd(STREAM, '*', { event: 'trade', data: JSON.stringify(trade) }, options) }
}

export async function subscribe(redis: string, heard: (trade: Trade) => void): Promise<void> {
  const client = await connect(redis)
  const newest = await client.xRevRange(STREAM, '+', '-', { COUNT: 1 })
  void read(client, newest?.[0]?.id ?? '0-0', heard)
}

async function connect(url: string) {
  return await createClient({ url }).on('error', console.error).connect()
}

async function read(client: Awaited<ReturnType<typeof connect>>, after: string, heard: (trade: Trade) => void): Promise<never> {
  for (let last = after; ;) {
    const [stream] = (await client.xRead({ key: STREAM, id: last }, { BLOCK: 0, COUNT: 1_000 })) ?? []
    for (const { id, message } of stream?.messages ?? []) {
      heard(JSON.parse(message['data'] ?? '') as Trade)
      last = id
    }
  }
}
