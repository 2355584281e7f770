import { defineEvents } from 'eventwire'
import * as z from 'zod'

export const events = defineEvents({
  price: z.object({
    symbol: z.string(),
    usd: z.number().positive(),
    /** In ms since 1970. */
    at: z.number(),
  }),
})
