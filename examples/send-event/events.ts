import { defineEvents, text } from 'eventwire'

export const events = defineEvents({ message: text() })
