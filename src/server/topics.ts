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
  return topics.length > 1 ? [...new Set(topics)].sort() : [...topics]
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
    for (const seqs of this.#of(topics)) count += seqs.length - firstFrom(seqs, after + 1)
    return count
  }

  /** The events of the topics in a range, when they are all of one topic and follow one another in the log, as they do where few topics are in use. */
  run(from: number, to: number, topics: readonly string[]): { readonly first: number; readonly length: number } | undefined {
    let found = { first: from, length: 0 }
    for (const seqs of this.#of(topics)) {
      const index = firstFrom(seqs, from)
      const length = firstFrom(seqs, to + 1) - index
      if (length === 0) continue
      const first = seqs.at(index)
      if (found.length > 0 || seqs.at(index + length - 1) - first >= length) return undefined
      found = { first, length }
    }
    return found
  }

  /** The sequence numbers in a range in any of the topics, ascending, at most `limit`. */
  between(from: number, to: number, topics: readonly string[], limit: number): number[] {
    const found: number[] = []
    for (const seqs of this.#of(topics)) {
      const first = firstFrom(seqs, from)
      const end = Math.min(seqs.length, first + limit)
      for (let i = first; i < end && seqs.at(i) <= to; i++) found.push(seqs.at(i))
    }
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

function firstFrom(seqs: Ring<number>, seq: number): number {
  return seqs.findFirst((it) => it >= seq)
}
