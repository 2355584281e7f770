import { defineEvents, text } from 'eventwire'

/** What becomes of a deploy, in this order. */
export const STATES = ['Queued', 'Building', 'Testing', 'Deploying', 'Done']

/** `status: Done` completes the stream. It is a mark, and no handler gets it. */
export const events = defineEvents({ status: text() }, { ends: [{ event: 'status', data: 'Done' }] })
