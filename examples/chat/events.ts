import { defineEvents } from 'eventwire'
import * as z from 'zod'

/** Each room is a topic. */
export const ROOMS = ['Lobby', 'Kitchen', 'Workshop']

export const Said = z.object({ from: z.string(), text: z.string().trim().min(1).max(500) })

export const events = defineEvents({ said: Said }, { name: 'chat' })
