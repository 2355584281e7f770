import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Contract, EventData, EventInput, EventName } from '../contract.ts'

/** A contract as a subscriber knows it that holds only its types: the data is what JSON gives, not what a schema makes of it. */
export type Unvalidated<C extends Contract> = Contract<{
  readonly [N in EventName<C>]: StandardSchemaV1<EventInput<C, N>, AsJson<EventData<C, N>>>
}>

type Json = string | number | boolean | null | undefined | readonly Json[] | { readonly [key: string]: Json }

/** What is left of a value after `JSON.stringify` and `JSON.parse`. What is JSON already stays as it is named. */
type AsJson<T> = unknown extends T
  ? T
  : [T] extends [Json]
    ? T
    : T extends string | number | boolean | null | undefined
      ? T
      : T extends { toJSON(): infer J }
        ? AsJson<J>
        : T extends bigint | symbol | ((...args: never) => unknown)
          ? never
          : T extends ReadonlyMap<unknown, unknown> | ReadonlySet<unknown>
            ? Record<string, never>
            : T extends readonly unknown[]
              ? { [K in keyof T]: AsJson<T[K]> }
              : T extends object
                ? { [K in keyof T as T[K] extends symbol | ((...args: never) => unknown) ? never : K]: AsJson<T[K]> }
                : T
