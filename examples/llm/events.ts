import { defineEvents, text } from 'eventwire'
import * as z from 'zod'

export const Question = z.object({ prompt: z.string().trim().min(1).max(500) })

/** An answer. What ends without `done` was cut, and is gone on with. */
export const events = defineEvents({ token: text(), done: z.object({ tokens: z.int() }) }, { name: 'llm', ends: ['done'] })
