import * as z from 'zod'
import { defineEvents, text } from 'eventwire'

/** The contract that most tests use. */
export const market = defineEvents({
  price: z.object({ symbol: z.string(), usd: z.number() }),
  halted: z.object({ symbol: z.string(), reason: z.string() }),
  message: text(),
})

export type Market = typeof market

/** A price that is told apart by its number. */
export function price(usd: number, symbol = 'BTC'): { symbol: string; usd: number } {
  return { symbol, usd }
}
