import { EventwireError } from '../errors.ts'
import { Ring } from './ring.ts'

/** What a connection listens to: topics, or `'*'` for all of them. Events without a topic reach it in any case. */
export type Topics = '*' | readonly string[]

/** Checks and orders what an application gave as topics, so that the same set always reads the same. Throws `invalid-option`. */
export function normalizeTopics(topics: Topics): Topics {
  if (topics === '*') return topics
  if (!Array.isArray(topics) || !topics.every((topic) => typeof topic === 'string')) {
    throw new EventwireError('invalid-option', `topics is ${JSON.stringify(topics)}; give an array of strings, or '*' for every topic.`)
  }
  return [...new Set(topics)].sort()
}

/** The events of one topic that a log holds, or of none: their numbers, oldest first. */
export interface TopicSeqs {
  readonly topic: string | undefined
  readonly seqs: Ring<number>
}

/** Where the events of each topic lie in a log, so that replay costs what was missed and not the whole log. */
export class TopicIndex {
  /** By topic; `undefined` holds the events for everyone. */
  readonly #topics = new Map<string | undefined, TopicSeqs>()

  /** Adds an event, and gives where that was. */
  push(topic: string | undefined, seq: number): TopicSeqs {
    let found = this.#topics.get(topic)
    if (!found) this.#topics.set(topic, (found = { topic, seqs: new Ring(4) }))
    found.seqs.push(seq)
    return found
  }

  /** Forgets the oldest event of a topic. */
  shift({ topic, seqs }: TopicSeqs): void {
    seqs.shift()
    if (seqs.length === 0) this.#topics.delete(topic)
  }

  count(after: number, topics: readonly string[]): number {
    let count = 0
    for (const seqs of this.#of(topics)) count += seqs.length - firstAfter(seqs, after)
    return count
  }

  /** The sequence numbers from `after` (exclusive) to `to` in any of the topics, ascending, at most `limit`. */
  between(after: number, to: number, topics: readonly string[], limit: number): number[] {
    const found: number[] = []
    let lists = 0
    for (const seqs of this.#of(topics)) {
      const first = firstAfter(seqs, after)
      const end = Math.min(seqs.length, first + limit)
      const before = found.length
      for (let i = first; i < end && seqs.at(i) <= to; i++) found.push(seqs.at(i))
      if (found.length > before) lists++
    }
    if (lists < 2) return found
    // Each list gave its first `limit`, so the first `limit` of all are among them.
    return found.sort((a, b) => a - b).slice(0, limit)
  }

  *#of(topics: readonly string[]): Iterable<Ring<number>> {
    for (const topic of [undefined, ...topics]) {
      const found = this.#topics.get(topic)
      if (found) yield found.seqs
    }
  }
}

function firstAfter(seqs: Ring<number>, after: number): number {
  return seqs.findFirst((seq) => seq > after)
}
