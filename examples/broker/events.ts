import { defineEvents } from 'eventwire'
import * as z from 'zod'

export const events = defineEvents({ time: z.object({ now: z.iso.datetime() }) })
