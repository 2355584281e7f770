import { defineEvents } from '../../dist/index.js'
import * as z from 'zod'

const trade = z.object({
  symbol: z.string(),
  usd: z.number(),
  volume: z.number(),
  venue: z.string(),
  side: z.enum(['buy', 'sell']),
  at: z.number(),
})

/** Four events, each for one size of data. */
export const market = defineEvents({
  tick: z.object({ symbol: z.string(), usd: z.number() }),
  trade,
  book: z.object({ trades: z.array(trade) }),
  history: z.object({ trades: z.array(trade) }),
})

export type MarketEvent = 'tick' | 'trade' | 'book' | 'history'

/** What is measured: an event, and how many bytes its data takes. */
export interface Load {
  readonly name: string
  readonly event: MarketEvent
  readonly data: object
}

/** One trade: six fields, 120 bytes of JSON. */
export function tradeAt(i: number): z.infer<typeof trade> {
  return {
    symbol: 'BTC-EUR-PERPETUAL',
    usd: 64_000.25 + (i % 900),
    volume: 0.125 + (i % 8),
    venue: 'kraken-frankfurt',
    side: i % 2 ? 'buy' : 'sell',
    at: 1_754_300_000_000 + i,
  }
}

const trades = (bytes: number): { trades: z.infer<typeof trade>[] } => ({
  trades: Array.from({ length: Math.round(bytes / JSON.stringify(tradeAt(0)).length) }, (_, i) => tradeAt(i)),
})

export const loads: readonly Load[] = [
  { name: '30 B', event: 'tick', data: { symbol: 'BTC', usd: 64_000.5 } },
  { name: '120 B', event: 'trade', data: tradeAt(0) },
  { name: '1 KB', event: 'book', data: trades(1_000) },
  { name: '64 KB', event: 'history', data: trades(64_000) },
]

/** The largest that is measured: one event of `mebibytes`. */
export const large = (mebibytes: number): Load => ({ name: `${mebibytes} MiB`, event: 'history', data: trades(mebibytes * 2 ** 20) })
