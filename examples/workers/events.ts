import { defineEvents } from 'eventwire'
import * as z from 'zod'

const work = z.object({ worker: z.enum(['foo', 'bar']), n: z.int() })

export const events = defineEvents({ foo: work, bar: work, message: work })
