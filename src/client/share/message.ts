import { EventwireError, type ErrorCode, type ErrorDetails } from '../../errors.ts'
import type { Ready } from '../../wire/control.ts'
import type { Item } from './recent.ts'
import type { Status } from '../status.ts'

/** What tabs say to each other. */
export type Message =
  | News
  /** A leader has begun, and asks who has heard more than it has. */
  | { readonly kind: 'claim'; readonly term: number; readonly place: Place }
  /** Somebody wants to take part, or has missed something, and asks the leader for what follows. */
  | { readonly kind: 'hello'; readonly place: Place }
  /** To a leader that has just begun, from somebody who has heard more. */
  | { readonly kind: 'ahead'; readonly to: string; readonly answer: Answer }
  /** Somebody has not heard of the leader for a while. */
  | { readonly kind: 'ping' }
  /** Somebody has got as far as the leader asked. */
  | { readonly kind: 'reached'; readonly number: number }

/** What a leader says. Any of it is a sign of life. */
export interface News extends Piece, Notice {
  readonly kind: 'news'
  /** Each leadership has a higher one than those before: of an older one nothing is believed. */
  readonly term: number
}

/** A piece of the stream: what lies behind a number. */
export interface Piece {
  readonly gen: string | undefined
  readonly after: number
  /** The last event id in force there: by it, numbers are told apart that two have given who did not know of each other. */
  readonly id: string
  readonly items: readonly Item[]
}

/** What a leader may say besides. */
export interface Notice {
  readonly status?: Posted<Status> | undefined
  readonly ready?: Ready | undefined
  /** Something is wrong that does not end the stream. */
  readonly fault?: Posted<Fault> | undefined
  /** Asks to be told when somebody has got as far as this number. */
  readonly reach?: number | undefined
  /** The answer to one `hello`, for that tab alone. */
  readonly answer?: Answer | undefined
  readonly to?: string | undefined
}

/** An error by itself. */
export interface Fault {
  readonly error?: EventwireError
}

/** How far a tab has heard. */
export interface Place {
  readonly from: string
  readonly gen: string | undefined
  readonly last: number
  /** The last event id in force there, for when the number means nothing to the other side. */
  readonly id: string
}

/** What follows a place; where that is unknown, what follows from now on. */
export interface Answer extends Piece {
  readonly resumed: boolean
}

/** An error as it can be cloned: of one that is posted as it is, only the name and the message would arrive. */
interface PostedError {
  readonly code: ErrorCode
  readonly message: string
  readonly details: ErrorDetails
}

/** Something that may have an error, as it can be cloned. */
export type Posted<T> = T extends unknown ? { [K in keyof T]: K extends 'error' ? PostedError | undefined : T[K] } : never

/** What of an error is known on the other side too. Not every cause can be cloned. */
const DETAILS = new Set(['event', 'id', 'status', 'body'])

/** Makes what may have an error fit to be posted. */
export function pack<T extends object>(value: T): Posted<T> {
  const { error } = value as Fault
  // Nothing else of it changes.
  return (error ? { ...value, error: packError(error) } : value) as Posted<T>
}

/** The inverse of {@link pack}. */
export function unpack<T extends object>(posted: Posted<T>): T {
  const { error } = posted as Posted<Fault>
  return (error ? { ...posted, error: new EventwireError(error.code, error.message, error.details) } : posted) as T
}

function packError(error: EventwireError): PostedError {
  const { code, message } = error
  return { code, message, details: Object.fromEntries(Object.entries(error).filter(([key]) => DETAILS.has(key))) }
}
