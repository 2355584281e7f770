import { defineEvents, text } from 'eventwire'

/** What the nodes send: each text is published once. */
export const events = defineEvents({ step: text() })
