import type { Gap, GapReason } from 'eventwire/client'
import type { Topics } from 'eventwire/server'

/** The log, as Redis has it. */
export interface Truth {
  readonly epoch: string
  /** The event with `seq` 1 first. */
  readonly entries: readonly Entry[]
}

export interface Entry {
  readonly seq: number
  /** `undefined` is everyone. */
  readonly topic: string | undefined
  readonly text: string
}

/** What a subscriber was told, in order. */
export interface Account {
  readonly topics: Topics
  /** The cursor behind which it began. */
  readonly began: string
  readonly notes: readonly (Heard | Gap)[]
}

export interface Heard {
  readonly id: string
  readonly text: string
}

/** What is wrong with an account, by ids. */
export interface HearingFaults {
  /** Neither told nor declared lost. */
  readonly lost: string[]
  readonly declared: string[]
  readonly repeated: string[]
  readonly disordered: string[]
  /** Not in the log, or not for this subscriber. */
  readonly foreign: string[]
  /** The reasons of the gaps, whatever they declare. */
  readonly gaps: GapReason[]
}

export const HEARD_WELL: HearingFaults = { lost: [], declared: [], repeated: [], disordered: [], foreign: [], gaps: [] }

/** Holds what a subscriber was told against the log. What lies behind the id `last` need not have been told yet. */
export function auditHearing({ epoch, entries }: Truth, { topics, began, notes }: Account, last: string): HearingFaults {
  const faults = structuredClone(HEARD_WELL)
  const idOf = ({ seq }: Entry): string => `${epoch}-${seq}`
  const seqOf = (id: string): number => Number(id.slice(epoch.length + 1))
  if (!began.startsWith(`${epoch}-`)) faults.foreign.push(began)
  const due = entries.filter(({ seq, topic }) => seq > seqOf(began) && (topic === undefined || topics === '*' || topics.includes(topic)))
  const places = new Map(due.map((entry, place) => [idOf(entry), place]))
  const heard = new Set<number>()
  const declared = new Set<number>()
  /** The place behind the furthest that it has come to, and whether a gap lies there. */
  let next = 0
  let gap = false

  for (const note of notes) {
    if ('reason' in note) {
      faults.gaps.push(note.reason)
      gap = true
      continue
    }
    const place = places.get(note.id)
    if (place === undefined || due[place]!.text !== note.text) faults.foreign.push(note.id)
    else if (heard.has(place)) faults.repeated.push(note.id)
    else {
      heard.add(place)
      if (place < next) faults.disordered.push(note.id)
      else if (gap) for (let missed = next; missed < place; missed++) declared.add(missed)
      next = Math.max(next, place + 1)
      gap = false
    }
  }
  for (const [place, entry] of due.entries()) {
    if (heard.has(place) || entry.seq > seqOf(last)) continue
    faults[declared.has(place) ? 'declared' : 'lost'].push(idOf(entry))
  }
  return faults
}

/** An attempt to publish. No text is published twice. */
export interface Publication {
  readonly topic: string | undefined
  readonly text: string
  /** The id that confirmed it; `undefined` when nothing did: then it may be in the log or not. */
  readonly id: string | undefined
}

/** What is wrong with a log. */
export interface LogFaults {
  readonly hole: string[]
  /** Confirmed, and not where it was said to be. */
  readonly missing: string[]
  readonly doubled: string[]
  /** Not published by anyone, or not to this topic. */
  readonly unknown: string[]
  /** Before what was confirmed before it was published. */
  readonly swapped: string[]
}

export const LOGGED_WELL: LogFaults = { hole: [], missing: [], doubled: [], unknown: [], swapped: [] }

/**
 * Holds the log against what was published: each chain is what one publisher has published, each after the one before was answered. What
 * was confirmed is there, once and where it was said to be, in order; what was not is there once at most.
 */
export function auditLog({ epoch, entries }: Truth, chains: readonly (readonly Publication[])[]): LogFaults {
  const faults = structuredClone(LOGGED_WELL)
  const places = new Map<string, Entry>()
  const topics = new Map(chains.flat().map(({ text, topic }) => [text, topic]))
  for (const [index, entry] of entries.entries()) {
    const { seq, topic, text } = entry
    if (seq !== index + 1) faults.hole.push(`${seq}`)
    if (places.has(text)) faults.doubled.push(text)
    if (!topics.has(text) || topics.get(text) !== topic) faults.unknown.push(text)
    places.set(text, entry)
  }
  for (const chain of chains) {
    let confirmed = 0
    for (const { text, id } of chain) {
      const seq = places.get(text)?.seq
      if (id !== undefined && id !== `${epoch}-${seq}`) faults.missing.push(`${text}, confirmed as ${id}`)
      if (seq === undefined) continue
      if (seq < confirmed) faults.swapped.push(text)
      if (id !== undefined) confirmed = Math.max(confirmed, seq)
    }
  }
  return faults
}
