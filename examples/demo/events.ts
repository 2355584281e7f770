import { defineEvents, text } from 'eventwire'
import * as z from 'zod'

// The page's content security policy forbids eval, which zod would otherwise try for the sake of speed.
z.config({ jitless: true })

/** What the server sends and the page hears. Both import this file. */
export const events = defineEvents({
  /** One sample of the machine that the server runs on. */
  metrics: z.object({
    /** 1 for the first sample of a server process, and one more for each, so that the page sees for itself when one is missing. */
    n: z.int().positive(),
    /** When that process began, in ms since 1970. */
    startedAt: z.number(),
    /** When the sample was taken, in ms since 1970. */
    at: z.number(),
    /** Share of all cores in use since the sample before, 0 to 1. */
    cpu: z.number(),
    /** Load average of the last minute. */
    load: z.number(),
    cores: z.int(),
    /** In bytes. */
    memory: z.object({ used: z.number(), total: z.number() }),
    /** The 99th percentile of how late the server's timers fired since the sample before, in ms. */
    loopDelay: z.number(),
    /** In bytes per second; null where the system does not tell. */
    network: z.object({ in: z.number(), out: z.number() }).nullable(),
  }),
  message: text(),
})
