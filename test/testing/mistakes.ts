import { expect, test } from 'vitest'
import { memoryLog, type Log, type LogListener, type LogPage } from 'eventwire/server'
import { testLog, type TestLogOptions } from 'eventwire/testing'

/** A log that makes one mistake, and the case of the suite that finds it out. */
export interface Mistake {
  readonly make: () => Log
  readonly options?: TestLogOptions
  readonly found: string
  /** Some of what is said of it. */
  readonly said: string
}

/** Proves that each is found out, by what it is. */
export function findOut(mistakes: Readonly<Record<string, Mistake>>): void {
  test.each(Object.entries(mistakes))('a log that %s is found out', async (_, { make, options, found, said }) => {
    const cases = new Map<string, () => Promise<void>>()
    testLog((name, run) => cases.set(name, run), make, { patience: 200, ...options })
    expect([...cases.keys()]).toContain(found)
    await expect(cases.get(found)!()).rejects.toThrow(said)
  })
}

/** A log, or a listener, that is another one in all but some of its members. */
export function but<T extends object>(it: T, changes: Partial<T>): T {
  return new Proxy(it, {
    get(_, name) {
      const source = name in changes ? changes : it
      const value: unknown = Reflect.get(source, name)
      return typeof value === 'function' ? value.bind(source) : value
    },
  })
}

/** Makes logs that are others in all but some of their members; by default, logs in memory. */
export function altered(change: (log: Log) => Partial<Log>, make: () => Log = memoryLog): () => Log {
  return () => {
    const log = make()
    return but(log, change(log))
  }
}

/** Makes logs that call their listener in another way. */
export function telling(change: (listener: LogListener) => Partial<LogListener>, make?: () => Log): () => Log {
  return altered((log) => ({ listen: (listener) => log.listen(but(listener, change(listener))) }), make)
}

/** Makes logs that read other pages. */
export function reading(change: (page: LogPage, log: Log) => Partial<LogPage>): () => Log {
  return altered((log) => ({
    read(range, topics) {
      const page = log.read(range, topics)
      return page && { ...page, ...change(page, log) }
    },
  }))
}

/** Makes logs that write their blocks in another way. */
export function writing(rewrite: (text: string) => string): () => Log {
  return reading(({ bytes }) => ({ bytes: new TextEncoder().encode(rewrite(new TextDecoder().decode(bytes))) }))
}
