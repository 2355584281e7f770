import type { StandardSchemaV1 } from '@standard-schema/spec'
import { isThenable, proceed, recover } from './awaitable.ts'
import { EventwireError, messageOf } from './errors.ts'
import { formatIssues, schemaFault, type Verdict } from './schema.ts'

/** Event names and their schemas, as given to {@link defineEvents}. */
export type EventSchemas = Readonly<Record<string, StandardSchemaV1>>

/** Options of {@link defineEvents}. */
export interface ContractOptions<Name extends string = string> {
  /** Names the contract in docs, storage keys and exports. Default: none. */
  name?: string | undefined
  /** Terminal events: after one the stream is complete, and an end without one is an interruption. Default: none; it has no end of its own. */
  ends?: readonly TerminalEvent<Name>[] | undefined
  /** Turns validated data into the text that crosses the wire. Default: `JSON.stringify`. Not used for `text()`. */
  serialize?: ((data: unknown) => string) | undefined
  /** The inverse of `serialize`. Default: `JSON.parse`. */
  deserialize?: ((text: string) => unknown) | undefined
}

/** An event that completes a stream: by its name; or, where it carries this very text, as a mark such as `[DONE]`, which no handler gets. */
export type TerminalEvent<Name extends string = string> = Name | { readonly event: Name; readonly data: string }

/**
 * The events that server and client agree on. Made by {@link defineEvents}; give it to `createEmitter` and
 * `createSubscriber`.
 */
export interface Contract<S extends EventSchemas = EventSchemas> {
  readonly name: string | undefined
  /** The schema of each event. An object without a prototype: `constructor` is a name like any other. */
  readonly schemas: S
  /** The terminal events. */
  readonly ends: readonly TerminalEvent[]
  /** The events declared with {@link text}. */
  readonly text: readonly string[]
  /**
   * Validates what an application emits and gives the text that crosses the wire; a promise when the schema is asynchronous.
   * The first 32 of each event also prove that the schema accepts its own output. Fails with `unknown-event`,
   * `invalid-payload` or `one-way-schema`.
   */
  serialize(event: string, input: unknown): string | Promise<string>
  /** Reads the text of an event and validates it; a promise when the schema is asynchronous. Fails with `unknown-event` or `invalid-payload`. */
  deserialize(event: string, text: string): unknown
}

/** The names of a contract's events. (`Extract`, so that the compiler's messages list the names and not this alias.) */
export type EventName<C extends Contract> = Extract<keyof C['schemas'], string>

/** What `emit` takes for event `N`: the input of its schema. */
export type EventInput<C extends Contract, N extends EventName<C>> = StandardSchemaV1.InferInput<C['schemas'][N]>

/** What `on` gives for event `N`: the output of its schema. */
export type EventData<C extends Contract, N extends EventName<C>> = StandardSchemaV1.InferOutput<C['schemas'][N]>

/** Any event of a contract, as a union discriminated by `event`. `id` is the last event id in force: its own, or that of the event before it. */
export type EventOf<C extends Contract, N extends EventName<C> = EventName<C>> = {
  [K in N]: { readonly event: K; readonly data: EventData<C, K>; readonly id: string }
}[N]

/** The schema that {@link text} returns. */
export interface TextSchema extends StandardSchemaV1<string, string> {
  readonly [TEXT]: true
}

// Symbol.for: the ESM and the CJS copy of the package recognise each other's contracts.
const TEXT: unique symbol = Symbol.for('eventwire.text')
const CONTRACT: unique symbol = Symbol.for('eventwire.contract')

/** How many emits of an event prove its schema; the first alone may be null, empty, or a branch that transforms nothing. */
const PROOFS = 32

/**
 * States the events of a stream once, for server and client.
 *
 * A name is not empty, holds no CR, LF or NUL, does not start with `$` (reserved for the protocol) and is neither
 * `error` nor `open` (EventSource fires those itself). An event named `message` is what `EventSource.onmessage` hears.
 *
 * @param schemas A schema per event: anything that implements Standard Schema, or {@link text}.
 * @throws EventwireError `invalid-contract`, which names the culprit.
 */
export function defineEvents<const S extends EventSchemas>(schemas: S, options: ContractOptions<keyof S & string> = {}): Contract<S> {
  const { name, ends = [], serialize = JSON.stringify, deserialize = JSON.parse, ...others } = options
  const [unknown] = Object.keys(others)
  if (unknown) throw new EventwireError('invalid-contract', `defineEvents has no ${unknown}; it takes name, ends, serialize, deserialize.`)
  const events = declare(schemas)
  for (const [i, end] of ends.entries()) {
    const event = typeof end === 'string' ? end : typeof end?.data === 'string' && end.event
    if (typeof event !== 'string') throw new EventwireError('invalid-contract', `ends[${i}] is neither a name nor { event, data: text }.`)
    if (!events.has(event))
      throw new EventwireError('invalid-contract', `ends: ${quote(event)} is not an event of this contract. ${listing(events)}`)
  }

  const find = (event: string): Declared => {
    const found = events.get(event)
    if (!found) throw new EventwireError('unknown-event', `The contract has no event ${quote(event)}. ${listing(events)}`, { event })
    return found
  }

  /** Text of validated data. A schema library may let through what the serialiser cannot carry, such as a function. */
  const write = ({ event, raw }: Declared, data: unknown): string => {
    if (raw) return data as string
    try {
      const written = serialize(data)
      if (typeof written === 'string') return written
    } catch (cause) {
      throw unusable(event, 'could not be serialised', cause)
    }
    throw new EventwireError('invalid-payload', `The data of event ${quote(event)} serialises to nothing (${typeof data}).`, { event })
  }

  const read = ({ event, raw }: Declared, written: string): unknown => {
    try {
      return raw ? written : deserialize(written)
    } catch (cause) {
      throw unusable(event, 'could not be read', cause)
    }
  }

  /** Clients validate what they receive with the same schema, so it has to accept its own output and leave it alone. */
  const prove = (it: Declared, written: string): string | Promise<string> => {
    const compare = (again: string): string => {
      if (again !== written) throw new Error('read again, the value came out different')
      it.proofs++
      return written
    }
    return recover(
      () => proceed(validate(it, read(it, written)), (data) => compare(write(it, data))),
      (cause) => refuseOneWay(it.event, cause),
    )
  }

  const contract: Contract<S> & { [CONTRACT]: true } = {
    [CONTRACT]: true,
    name,
    schemas: Object.freeze(Object.assign(Object.create(null) as S, schemas)),
    ends: Object.freeze(ends.map((end) => (typeof end === 'string' ? end : Object.freeze({ ...end })))),
    text: Object.freeze([...events.values()].filter(({ raw }) => raw).map(({ event }) => event)),
    serialize(event, input) {
      const it = find(event)
      return proceed(validate(it, input), (data) => {
        const written = write(it, data)
        return it.proofs < PROOFS ? prove(it, written) : written
      })
    },
    deserialize(event, written) {
      const it = find(event)
      return validate(it, read(it, written))
    },
  }
  return contract
}

/**
 * The schema of an event whose data is raw text: it crosses the wire as it is, without JSON's quotes, so that a plain
 * `EventSource` and foreign servers read and write it. CR, LF and CRLF in it all arrive as LF (WHATWG HTML 9.2.6).
 */
export function text(): TextSchema {
  return {
    [TEXT]: true,
    '~standard': {
      version: 1,
      vendor: 'eventwire',
      validate: (value) => (typeof value === 'string' ? { value } : { issues: [{ message: `Expected text, received ${typeof value}` }] }),
    },
  }
}

/** Whether a value is a contract, also one made by another copy of the package. */
export function isContract(value: unknown): value is Contract {
  return typeof value === 'object' && value !== null && CONTRACT in value
}

/** An event of a contract, and how many emits have proved its schema. */
interface Declared {
  readonly event: string
  readonly schema: StandardSchemaV1
  readonly raw: boolean
  proofs: number
}

function declare(schemas: EventSchemas): Map<string, Declared> {
  const given = schemas === null ? 'null' : Array.isArray(schemas) ? 'array' : typeof schemas
  if (given !== 'object')
    throw new EventwireError('invalid-contract', `defineEvents takes an object of schemas by event name, not ${given}.`)
  const events = new Map<string, Declared>()
  for (const [event, schema] of Object.entries(schemas)) {
    const fault = nameFault(event) ?? schemaFault(schema)
    if (fault) throw new EventwireError('invalid-contract', `Event ${quote(event)}: ${fault}`, { event })
    events.set(event, { event, schema, raw: TEXT in schema, proofs: 0 })
  }
  return events
}

function nameFault(event: string): string | undefined {
  if (event === '') return 'a name must not be empty.'
  if (/[\r\n\0]/.test(event)) return 'a name must not hold CR, LF or NUL; they would end the line on the wire.'
  if (!event.isWellFormed()) return 'a name must not hold half a surrogate pair; UTF-8 cannot carry it.'
  if (event.startsWith('$')) return 'names that start with $ are reserved for the protocol.'
  if (event === 'error' || event === 'open') return 'EventSource fires an event of this name itself; choose another.'
  return undefined
}

/** Runs the schema. One that throws or rejects, where it should have returned issues, has refused the value too. */
function validate({ event, schema }: Declared, value: unknown): unknown {
  let verdict: Verdict | PromiseLike<Verdict>
  try {
    verdict = schema['~standard'].validate(value)
  } catch (cause) {
    throw unusable(event, 'could not be validated', cause)
  }
  return isThenable(verdict) ? acceptLater(event, verdict) : accept(event, verdict)
}

async function acceptLater(event: string, pending: PromiseLike<Verdict>): Promise<unknown> {
  const refuse = (cause: unknown): never => {
    throw unusable(event, 'could not be validated', cause)
  }
  return accept(event, await Promise.resolve(pending).catch(refuse))
}

function accept(event: string, verdict: Verdict): unknown {
  const { issues } = verdict
  if (!issues) return verdict.value
  throw new EventwireError('invalid-payload', `Event ${quote(event)}: ${formatIssues(issues)}`, { event, issues })
}

function unusable(event: string, fault: string, cause: unknown): EventwireError {
  return new EventwireError('invalid-payload', `The data of event ${quote(event)} ${fault}: ${messageOf(cause)}`, { event, cause })
}

function refuseOneWay(event: string, cause: unknown): never {
  const issues = cause instanceof EventwireError ? (cause.issues ?? []) : []
  const found = issues.length > 0 ? formatIssues(issues) : messageOf(cause)
  throw new EventwireError(
    'one-way-schema',
    `The schema of event ${quote(event)} does not survive the wire: ${found}. Clients validate what the server sends with the ` +
      'same schema, so its output must be valid input that stays as it is. Transform before emit, or in the handler.',
    { event, issues, cause },
  )
}

function quote(name: string): string {
  return JSON.stringify(name)
}

function listing(events: ReadonlyMap<string, unknown>): string {
  return events.size ? `It has: ${[...events.keys()].join(', ')}.` : 'It has none.'
}
