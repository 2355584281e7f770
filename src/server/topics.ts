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

/** Where the events of each topic lie in a log, so that replay costs what was missed and not the whole log. */
export class TopicIndex {
  /** Sequence numbers by topic, oldest first; `undefined` holds those of events for everyone. */
  readonly #seqs = new Map<string | undefined, Ring<number>>()

  push(topic: string | undefined, seq: number): void {
    let seqs = this.#seqs.get(topic)
    if (!seqs) this.#seqs.set(topic, (seqs = new Ring()))
    seqs.push(seq)
  }

  /** Forgets the oldest event of a topic. */
  shift(topic: string | undefined): void {
    const seqs = this.#seqs.get(topic)
    seqs?.shift()
    if (seqs?.length === 0) this.#seqs.delete(topic)
  }

  count(after: number, topics: readonly string[]): number {
    let count = 0
    for (const seqs of this.#of(topics)) count += seqs.length - firstAfter(seqs, after)
    return count
  }

  /** The next sequence numbers after `after` in any of the topics, ascending, at most `limit`. */
  after(after: number, topics: readonly string[], limit: number): number[] {
    const found: number[] = []
    for (const seqs of this.#of(topics)) {
      const first = firstAfter(seqs, after)
      const end = Math.min(seqs.length, first + limit)
      for (let i = first; i < end; i++) found.push(seqs.at(i))
    }
    // Each list gave its first `limit`, so the first `limit` of all are among them.
    return found.sort((a, b) => a - b).slice(0, limit)
  }

  *#of(topics: readonly string[]): Iterable<Ring<number>> {
    for (const topic of [undefined, ...topics]) {
      const seqs = this.#seqs.get(topic)
      if (seqs) yield seqs
    }
  }
}

function firstAfter(seqs: Ring<number>, after: number): number {
  return seqs.findFirst((seq) => seq > after)
}
