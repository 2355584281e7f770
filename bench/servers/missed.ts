import { options } from './options.ts'
import { createSamples, type Sample } from './sample.ts'

/** What a client has missed, for servers that keep their log as an array. */
export function missedSamples(): Sample[] {
  return options.missed === 0 ? [] : createSamples(options.logged).slice(-options.missed)
}
